"""Reading catalog files: TOML to models, with errors that name file, line, key and what is allowed."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import msgspec

from opperlite.domain.models.rules import Field, merge, read
from opperlite.domain.models.specs import CatalogFile, Model, ModelSpec

_KEY = re.compile(r"""^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_HEADER = re.compile(r"^\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(?:#.*)?$")
_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")


class CatalogError(Exception):
    """A catalog file cannot be used: which file, which line (1 is the first), which key, and what is allowed."""

    def __init__(self, file: str, line: int | None, key: str | None, message: str) -> None:
        self.file, self.line, self.key, self.message = file, line, key, message
        place = f"{file}:{line}" if line is not None else file
        super().__init__(f"{place}: {key}: {message}" if key else f"{place}: {message}")


def read_folder(folder: Path | Traversable, *, thorough: bool) -> list[Model]:
    """Every model of a folder's `*.toml` files, in the order of the files' names.

    `thorough` also looks for contradictions, which the packaged files are known not to have.
    """
    models: list[Model] = []
    for file in catalog_files(folder):
        models += read_file(file, thorough=thorough)
    return models


def catalog_files(folder: Path | Traversable) -> list[Path | Traversable]:
    """The catalog files of a folder by name; a folder that is not there is a CatalogError."""
    if not folder.is_dir():
        expected = "no such folder; a folder of catalog files (*.toml) is expected here"
        raise CatalogError(str(folder), None, None, expected)
    return sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)


def read_file(file: Path | Traversable, *, thorough: bool = True) -> list[Model]:
    """Every model of one catalog file."""
    name = str(file)
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CatalogError(name, None, None, f"not UTF-8 text: {error.reason} at byte {error.start}") from None
    except OSError as error:
        raise CatalogError(name, None, None, f"cannot be read: {error.strerror or error}") from None
    return read_text(text, name, thorough=thorough)


def read_text(text: str, name: str, *, thorough: bool = True) -> list[Model]:
    """Every model of a catalog file's text; `name` is the file's name for errors."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"line (\d+)", str(error))
        raise CatalogError(name, int(place[1]) if place else None, None, f"not valid TOML: {error}") from None
    source = _Source(name, text)
    file = source.convert(raw, CatalogFile, ())
    if not file.models:
        raise source.error(("models",), "no models; a catalog file has at least one [[models]] table")
    return [_model(source, file, index, thorough) for index in range(len(file.models))]


class _Source:
    """A catalog file's name and text, to say where in it something is wrong."""

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text

    def convert(self, raw: Any, kind: type[Any], path: tuple[str | int, ...], *also: tuple[str | int, ...]) -> Any:
        try:
            return msgspec.convert(raw, kind)
        except msgspec.ValidationError:
            from opperlite.domain.models.consistency import misfit  # only a broken file needs it

            inner, message = misfit(raw, kind)
            raise self.error((*path, *inner), message, *((*other, *inner) for other in also)) from None

    @cached_property
    def _lines(self) -> dict[tuple[str | int, ...], int]:
        return dict(_lines(self.text))

    def line(self, path: Sequence[str | int]) -> int | None:
        """The line of a path, or of the nearest table around it."""
        ends = range(len(path), 0, -1)
        return next((self._lines[tuple(path[:end])] for end in ends if tuple(path[:end]) in self._lines), None)

    def error(self, path: Sequence[str | int], message: str, *also: Sequence[str | int]) -> CatalogError:
        """The error at a path; `also` are the same member's paths in the groups that it could come from."""
        written = [place for place in (path, *also) if tuple(place) in self._lines]
        line = self.line(written[0] if written else path) or 1
        return CatalogError(self.name, line, _spell(path) or "the file", message)


def _model(source: _Source, file: CatalogFile, index: int, thorough: bool) -> Model:
    raw = file.models[index]
    path: tuple[str | int, ...] = ("models", index)
    groups = _groups(source, file, raw, path)
    also = [("groups", name) for name in groups]
    layers = [*(file.groups[name] for name in groups), raw]
    whole = {**merge(*layers), "rules": [rule for layer in layers for rule in layer.get("rules", ())]}
    spec: ModelSpec = source.convert(whole, ModelSpec, path, *also)
    spec = _filled(source, spec, path)
    if thorough:
        from opperlite.domain.models.consistency import contradictions  # only a user's file needs it

        for inner, message in contradictions(spec, file.errors.kinds):
            raise source.error((*path, *inner), message, *((*other, *inner) for other in also))
    line = (source.line(path) or 0) if thorough else 0
    return _built(spec, file, source.name, line)


def _built(spec: ModelSpec, file: CatalogFile, name: str, line: int) -> Model:
    """The model as the program uses it, with what is its provider's."""
    provider = file.provider
    retired = _midnight(spec.retired_at)
    return Model(
        id=f"{provider.id}/{spec.id}",
        type=spec.type,
        provider=provider.id,
        provider_display_name=provider.name,
        name=spec.name,
        model_id=spec.id,
        capabilities=spec.capabilities,
        description=spec.description,
        speed=spec.speed,
        cost=spec.cost,
        quality=spec.quality,
        context_window=0,
        aliases=(*spec.aliases, *(f"{other}/{spec.id}" for other in provider.aliases)),
        api_type=spec.api_type,
        country=spec.country or provider.country,
        region=spec.region,
        featured=spec.featured,
        family=spec.family,
        maker=spec.maker,
        params={"default_max_tokens": 0, **msgspec.to_builtins(spec.params)},
        pricing={"input": [], "output": [], **msgspec.to_builtins(spec.pricing)},
        pricing_known=spec.pricing_known,
        retired_at=retired.strftime("%Y-%m-%dT%H:%M:%SZ") if retired else None,
        retired=retired.timestamp() if retired else None,
        successor=spec.successor,
        spec=spec,
        refusals=file.errors,
        null_is_absent=provider.null_is_absent,
        file=name,
        line=line,
    )


def _filled(source: _Source, spec: ModelSpec, path: tuple[str | int, ...]) -> ModelSpec:
    """The model with the published lists put where its parameters refer to them."""
    params = msgspec.to_builtins(spec.params)

    def fill(fields: Mapping[str, Field], where: tuple[str | int, ...]) -> dict[str, Field]:
        filled = {}
        for name, field in fields.items():
            if field.enum_of is not None:
                values = read(params, field.enum_of)
                if not isinstance(values, list | tuple) or not values:
                    raise source.error((*where, name, "enum_of"), f"params.{field.enum_of} is not a list with values")
                field = msgspec.structs.replace(field, enum=tuple(values))
            if field.fields:
                field = msgspec.structs.replace(field, fields=fill(field.fields, (*where, name, "fields")))
            filled[name] = field
        return filled

    return msgspec.structs.replace(spec, parameters=fill(spec.parameters, (*path, "parameters")))


def _groups(source: _Source, file: CatalogFile, raw: Mapping[str, Any], path: tuple[str | int, ...]) -> list[str]:
    """The names of all groups that a model takes, the farthest first; a group may extend groups itself."""
    taken: list[str] = []

    def take(owner: Mapping[str, Any], where: tuple[str | int, ...], open_groups: tuple[str, ...]) -> None:
        names = owner.get("extends", ())
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            raise source.error((*where, "extends"), "must be a list of group names")
        for name in names:
            if name not in file.groups or name in open_groups:
                known = ", ".join(one for one in file.groups if one not in open_groups) or "none"
                raise source.error((*where, "extends"), f"no usable group '{name}'; groups of this file: {known}")
            take(file.groups[name], ("groups", name), (*open_groups, name))
            if name not in taken:
                taken.append(name)

    take(raw, path, ())
    return taken


def _midnight(date: dt.date | None) -> dt.datetime | None:
    return dt.datetime(date.year, date.month, date.day, tzinfo=dt.UTC) if date else None


def _spell(path: Sequence[str | int]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _lines(text: str) -> Iterator[tuple[tuple[str | int, ...], int]]:
    """The line of every table header and key, by path; `tomllib` tells none. First mentions win."""
    seen: dict[tuple[str | int, ...], int] = {}
    table: tuple[str | int, ...] = ()
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        header, key = _HEADER.match(line), _KEY.match(line)
        if header and not key:
            parts = _parts(header[2])
            if header[1] == "[[":
                counts[parts[0]] = counts.get(parts[0], -1) + 1
            table = (parts[0], counts[parts[0]], *parts[1:]) if parts[0] in counts else tuple(parts)
            path: tuple[str | int, ...] = table
        elif key:
            path = (*table, *_parts(key[1]))
        else:
            continue
        for end in range(1, len(path) + 1):
            seen.setdefault(path[:end], number)
    yield from seen.items()


def _parts(text: str) -> list[str]:
    return [part.strip("\"'") for part in _PART.findall(text)]
