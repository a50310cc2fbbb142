"""The model catalog: look-up, lists, retirement, and the planning of requests by the models' own rules.

Model facts are data (`opperlite/catalog/*.toml` and the user's own folders); no model is named in code.
"""

from __future__ import annotations

import datetime as dt
import importlib.resources
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.resources.abc import Traversable
from pathlib import Path

from opperlite.domain.errors import ModelNotFound, ProviderRefused, ValidationFailed
from opperlite.domain.models.loading import CatalogError, catalog_files, read_file, read_folder, read_text
from opperlite.domain.models.planning import default_seed, plan_image, plan_speech, plan_transcription, plan_video
from opperlite.domain.models.pricing import price_image, price_speech, price_transcription, price_video
from opperlite.domain.models.refusals import refuse
from opperlite.domain.models.rules import Violation
from opperlite.domain.models.settling import check_audio, settle_image, settle_video
from opperlite.domain.models.specs import Model
from opperlite.domain.types import Warning

_TYPE_NAMES = {"image": "image", "video": "video", "tts": "text-to-speech", "stt": "speech-to-text"}
_ALL = 1_000_000
_SORTS: dict[str, Callable[[Model], tuple[str, ...]]] = {
    "id": lambda model: (model.id,),
    "type": lambda model: (model.type, model.id),
    "provider": lambda model: (model.provider, model.id),
}


class Catalog:
    """All models by name. A name is "provider/name", an alias, or the bare name where only one model has it.

    A packaged file is read when one of its models is first asked for, so that starting costs nothing.
    """

    def __init__(self, models: Iterable[Model] = (), *, unread: Mapping[str, Traversable] | None = None) -> None:
        self._unread = dict(unread or {})
        self._models: dict[str, Model] = {}
        self._owners: dict[str, Model] = {}
        self._names: dict[str, list[Model]] = {}
        self._add(models)

    @classmethod
    def load(cls, folders: Sequence[Path | Traversable] = ()) -> Catalog:
        """The packaged models and those of these folders; raises CatalogError."""
        packaged = importlib.resources.files("opperlite") / "catalog"
        further = [folder for folder in folders if folder != packaged]
        if not further:
            return cls(unread={file.name.removesuffix(".toml"): file for file in catalog_files(packaged)})
        models = [model for folder in further for model in read_folder(folder, thorough=True)]
        return cls([*read_folder(packaged, thorough=False), *models])

    @property
    def models(self) -> tuple[Model, ...]:
        """Every model, by provider."""
        self._read_all()
        return tuple(sorted(self._models.values(), key=lambda model: model.provider))

    def _read_all(self) -> None:
        for provider in tuple(self._unread):
            self._read(provider)

    def _read(self, provider: str) -> None:
        file = self._unread.pop(provider, None)
        if file is not None:
            self._add(read_file(file, thorough=False))

    def _add(self, models: Iterable[Model]) -> None:
        for model in models:
            for name in (model.id, *model.aliases):
                other = self._owners.setdefault(name, model)
                if other is not model:
                    raise CatalogError(model.file, model.line or None, name, _named_twice(name, other, model))
            self._models[model.id] = model
            bare = (alias.removeprefix(f"{model.provider}/") for alias in model.aliases)
            for name in dict.fromkeys((model.id, model.model_id, *model.aliases, *bare)):
                self._names.setdefault(name, []).append(model)

    def find(self, model_id: str, type: str | None = None) -> Model:
        """The model of that name and type; raises ModelNotFound, or ValidationFailed for a model of another type."""
        self._read(model_id.partition("/")[0])
        exact = self._models.get(model_id)
        if exact is not None and type in (None, exact.type):
            return exact
        self._read_all()
        found = self._names.get(model_id, [])
        fitting = [model for model in found if type in (None, model.type)]
        if len(fitting) == 1:
            return fitting[0]
        if len(fitting) > 1:
            names = [model.id for model in fitting]
            message = f"{model_id!r} could be {' or '.join(names)}; send the whole name"
            raise ModelNotFound(message, field="model", allowed=names)
        if found and type is not None:
            other = found[0]
            raise ValidationFailed(
                f"{other.id} is a {_TYPE_NAMES[other.type]} model; this call needs {_TYPE_NAMES.get(type, type)}",
                field="model",
                allowed=type,
                type=other.type,
            )
        raise self._not_found(model_id, type)

    def default(self, type: str) -> Model:
        """The model for a call that names none: the first featured one of the type; raises ModelNotFound."""
        models, _ = self.search(types=(type,), deprecated=True, limit=_ALL)
        if not models:
            raise ModelNotFound(f"There is no {_TYPE_NAMES.get(type, type)} model", field="model")
        return next((model for model in models if model.featured), models[0])

    def _not_found(self, model_id: str, type: str | None) -> ModelNotFound:
        import difflib  # only a wrong name needs it

        names = [name for name, models in self._names.items() if any(type in (None, one.type) for one in models)]
        close = difflib.get_close_matches(model_id[:100], names, n=3, cutoff=0.5)
        close = list(
            dict.fromkeys(model.id for name in close for model in self._names[name] if type in (None, model.type))
        )
        hint = f"did you mean {', '.join(close)}?" if close else "`GET /v3/models` lists them"
        return ModelNotFound(f"No model is named {model_id[:100]!r}; {hint}", field="model", close=close or None)

    def search(
        self,
        *,
        types: Sequence[str] | None = None,
        provider: str | None = None,
        q: str | None = None,
        capabilities: str | Sequence[str] | None = None,
        deprecated: bool = False,
        sort: str = "id",
        order: str = "asc",
        limit: int = 50,
        offset: int = 0,
        now: float | None = None,
    ) -> tuple[list[Model], int]:
        """One page of the models that match, and the count of all that do.

        `capabilities` (joined by comma, or a list) must all be there. Models retired at `now` (Unix seconds) are left
        out unless `deprecated`; without `now` nothing counts as retired.
        """
        wanted = capabilities.split(",") if isinstance(capabilities, str) else list(capabilities or ())
        needed = {one.strip() for one in wanted if one.strip()}
        words = (q or "").lower().split()
        matching = [
            model
            for model in self.models
            if (types is None or model.type in types)
            and (not provider or model.provider == provider)
            and needed <= set(model.capabilities)
            and (deprecated or not is_retired(model, now))
            and all(word in _searched(model) for word in words)
        ]
        matching.sort(key=_SORTS.get(sort, _SORTS["id"]), reverse=order == "desc")
        return matching[offset : offset + limit], len(matching)


def _named_twice(name: str, first: Model, second: Model) -> str:
    return f"{name} is named twice, by {first.file} and by {second.file}; a model's name must be its own"


def _searched(model: Model) -> str:
    return " ".join((model.id, model.name, model.provider_display_name, model.description, *model.aliases)).lower()


def is_retired(model: Model, now: float | None) -> bool:
    """Whether the vendor has ended the model by `now` (Unix seconds)."""
    return now is not None and model.retired is not None and model.retired <= now


def retirement(model: Model, now: float) -> Warning | None:
    """The warning for a model that its vendor has ended, with the successor in `details`; None for a live one."""
    if not is_retired(model, now):
        return None
    instead = f"; its successor is {model.successor}" if model.successor else ""
    details = {"model": model.id, "retired_at": model.retired_at, "successor": model.successor}
    return Warning(
        code="model_retired",
        message=f"{model.provider_display_name} retired {model.id} on {_day(model)}{instead}; this answer is emulated",
        details={name: value for name, value in details.items() if value is not None},
    )


def retired_refusal(model: Model, now: float) -> ProviderRefused:
    """What the vendor answers for a model that it has ended."""
    broken = Violation(kind="retired", path="model", value=model.model_id, facts={"date": _day(model), "now": int(now)})
    error = refuse(model.refusals, model.provider_display_name, model.model_id, broken, "model")
    if model.successor:
        error.details["successor"] = model.successor
    return error


def _day(model: Model) -> str:
    return dt.datetime.fromtimestamp(model.retired or 0, dt.UTC).date().isoformat()


__all__ = [
    "Catalog",
    "CatalogError",
    "Model",
    "check_audio",
    "default_seed",
    "is_retired",
    "plan_image",
    "plan_speech",
    "plan_transcription",
    "plan_video",
    "price_image",
    "price_speech",
    "price_transcription",
    "price_video",
    "read_text",
    "retired_refusal",
    "retirement",
    "settle_image",
    "settle_video",
]
