"""The rules of a request before any source is read: what is there, in which form, and what the provider says to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opperlite.domain.errors import OpperliteError
from opperlite.domain.models.bridging import Body, invalid
from opperlite.domain.models.checking import check, check_rules
from opperlite.domain.models.refusals import in_words, late_text, refuse
from opperlite.domain.models.rules import INPUT_MARK, Violation, read
from opperlite.domain.models.specs import Model
from opperlite.domain.types import Source

Sources = Mapping[str, Sequence[Source]]
_PROVIDER_CHECKS = frozenset({"language"})  # normalized fields that the provider judges (contract A.13)


def sources_of(**named: Source | Sequence[Source] | None) -> dict[str, Sequence[Source]]:
    listed = {name: (one,) if isinstance(one, Source) else tuple(one or ()) for name, one in named.items()}
    return {"image": (), "mask": (), "reference_images": (), "video": (), "audio": (), **listed}


def subjects_of(sources: Sources) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for name, listed in sources.items():
        facts[INPUT_MARK + name] = bool(listed)
        facts[f"{INPUT_MARK}{name}.count"] = len(listed)
    facts["@images.count"] = len(sources["image"]) + len(sources["reference_images"])
    return facts


def check_presence(model: Model, sources: Sources, given: Mapping[str, Any]) -> None:
    """Refuse inputs that the model has no use for, and the lack of one that it needs."""
    inputs = model.spec.inputs
    for name, listed in sources.items():
        if listed and name not in inputs:
            raise invalid(name, f"{model.id} takes no {name}: {_abilities(model)}", sorted(inputs))
    if sources["mask"] and not sources["image"]:
        raise invalid("mask", "mask needs an image to lie on; send image too")
    for name, rule in inputs.items():
        elsewhere = rule.parameter is not None and read(given, rule.parameter) is not None
        if rule.required and not sources[name] and not elsewhere:
            also = name == "image" and sources["reference_images"]
            if not also:
                raise invalid(name, f"{model.id} needs {name}: {_abilities(model)}")


def _abilities(model: Model) -> str:
    inputs = ", ".join(model.spec.inputs)
    makes = {"image": "images", "video": "videos", "tts": "speech", "stt": "transcripts"}[model.type]
    return f"it makes {makes} from text and {inputs}" if inputs else f"it makes {makes} from text only"


def judge(
    model: Model, body: Body, given: Mapping[str, Any], parameters: Mapping[str, Any], subjects: Mapping[str, Any]
) -> str | None:
    """Run the provider's rules; raises the first refusal, or returns the text of a later failure."""
    spec, late = model.spec, None
    found = check(spec.parameters, parameters, closed=spec.closed, null_is_absent=model.null_is_absent)
    for violation in found:
        raise refusal(model, violation, body, given)
    for violation in check_rules(spec.rules, spec.parameters, parameters, subjects):
        if not violation.late:
            raise refusal(model, violation, body, given)
        late = late or late_text(model.refusals, model.model_id, violation)
    return late


def refusal(model: Model, violation: Violation, body: Body, given: Mapping[str, Any]) -> OpperliteError:
    path = violation.path
    if path.startswith(INPUT_MARK):
        named = _input_field(path)
        param = next((rule.parameter for name, rule in model.spec.inputs.items() if name == named), None)
        return refuse(model.refusals, model.provider_display_name, model.model_id, violation, named, param or named)
    top = path.partition(".")[0].partition("[")[0]
    field = None if top in given else body.origin.get(top)
    if field in _PROVIDER_CHECKS:
        return refuse(model.refusals, model.provider_display_name, model.model_id, violation, field)
    if field is not None:
        found = f"{violation.value!r:.100}"
        message = f"{field} {found} is not allowed: {model.id} takes {in_words(violation.allowed)}"
        return invalid(field, message, violation.allowed)
    return refuse(model.refusals, model.provider_display_name, model.model_id, violation, f"parameters.{path}")


def _input_field(path: str) -> str:
    name = path.removeprefix(INPUT_MARK).partition(".")[0]
    return "image" if name == "images" else name


def check_prompt(model: Model, prompt: str) -> None:
    limit = model.spec.prompt_length
    if limit is not None and len(prompt) > limit:
        facts = {"length": len(prompt), "max": limit}
        broken = Violation(
            kind="length", path="@prompt", value=len(prompt), allowed=f"at most {limit} characters", facts=facts
        )
        raise refuse(model.refusals, model.provider_display_name, model.model_id, broken, "prompt")


_FORMS = {"url": "an http(s) URL", "data": "a data-URI", "file": "a file id", "gs": "a gs:// URI"}
_DELIVERED = ("file", "blob")  # bytes that the server has, and gives to each provider in the form it takes


def check_forms(model: Model, sources: Sources) -> None:
    """Refuse a source written in a form that the provider does not take; what the server has works everywhere."""
    for name, rule in model.spec.inputs.items():
        for source in sources[name]:
            if source.form in _DELIVERED or source.form in rule.sources:
                continue
            allowed = [_FORMS[form] for form in (*rule.sources, "file")]
            broken = Violation(kind="source", path="@" + name, value=_FORMS[source.form], allowed=allowed)
            raise refuse(
                model.refusals, model.provider_display_name, model.model_id, broken, source.field, rule.parameter
            )


def check_counts(model: Model, sources: Sources) -> None:
    """Refuse more sources than the provider takes."""
    total = len(sources["image"]) + len(sources["reference_images"])
    for name, rule in model.spec.inputs.items():
        for found, limit in ((len(sources[name]), rule.max_count), (total, rule.max_total)):
            if limit is not None and found > limit:
                facts = {"length": found, "max": limit, "min": 0}
                allowed = f"at most {limit}"
                broken = Violation(kind="items", path="@" + name, value=found, allowed=allowed, facts=facts)
                named = "reference_images" if sources["reference_images"] else name
                raise refuse(model.refusals, model.provider_display_name, model.model_id, broken, named, rule.parameter)
