"""How the text of a setting becomes its value: sizes, durations, choices, lists, folders, addresses."""

import ipaddress
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

_SIZE_UNITS: Mapping[str, int] = {
    "": 1,
    "b": 1,
    **{unit + "b": 1000**power for power, unit in enumerate("kmgt", 1)},
    **{unit + "ib": 1024**power for power, unit in enumerate("kmgt", 1)},
}
_DURATION_UNITS: Mapping[str, int] = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_AMOUNT = re.compile(r"(\d{1,19}(?:\.\d{1,9})?)\s*([a-z]*)", re.ASCII | re.IGNORECASE)
_HOST_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?", re.ASCII | re.IGNORECASE)
_LONGEST = 100 * 365 * 86400.0
_LARGEST = 2**63 - 1


class Invalid(ValueError):
    """A value is not what its setting takes; the message says what was found and what is allowed."""


class Kind(Protocol):
    """A kind of value: its short name for the command line, what it takes in words, reading and showing it."""

    @property
    def metavar(self) -> str: ...

    @property
    def allowed(self) -> str: ...

    def read(self, raw: object) -> Any:
        """The value of a text, or of what TOML made of it. Raises Invalid."""

    def show(self, value: Any) -> str:
        """The text that reads back as this value."""


def _refuse(raw: object, allowed: str) -> Invalid:
    found = repr(raw)
    return Invalid(f"found {found if len(found) <= 80 else found[:77] + '...'}; allowed: {allowed}.")


class _Shown:
    def show(self, value: Any) -> str:
        return str(value)


class Switch:
    """Yes or no."""

    metavar = "BOOLEAN"
    allowed = "true or false"
    _words: Mapping[str, bool] = {
        **dict.fromkeys(("1", "true", "yes", "on"), True),
        **dict.fromkeys(("0", "false", "no", "off"), False),
    }

    def read(self, raw: object) -> bool:
        if isinstance(raw, bool):
            return raw
        if isinstance(raw, str) and raw.strip().lower() in self._words:
            return self._words[raw.strip().lower()]
        raise _refuse(raw, self.allowed)

    def show(self, value: bool) -> str:
        return "true" if value else "false"


class Choice(_Shown):
    """One of some words."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.metavar = "|".join(words)
        self.allowed = " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]

    def read(self, raw: object) -> str:
        if not isinstance(raw, str) or raw.strip().lower() not in self.words:
            raise _refuse(raw, self.allowed)
        return raw.strip().lower()


class Number(_Shown):
    """A whole number within bounds, both included."""

    metavar = "NUMBER"

    def __init__(self, least: int, most: int = _LARGEST) -> None:
        self.least, self.most = least, most
        self.allowed = f"a whole number from {least} {'up' if most == _LARGEST else f'to {most}'}"

    def read(self, raw: object) -> int:
        digits = isinstance(raw, str) and re.fullmatch(r"\s*\d{1,19}\s*", raw, re.ASCII)
        number = int(str(raw)) if digits else raw
        if isinstance(number, bool) or not isinstance(number, int) or not self.least <= number <= self.most:
            raise _refuse(raw, self.allowed)
        return number


def _amount(raw: object, units: Mapping[str, int], allowed: str) -> Decimal:
    text = str(raw) if isinstance(raw, int | float) and not isinstance(raw, bool) else raw
    match = _AMOUNT.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None or match[2].lower() not in units:
        raise _refuse(raw, allowed)
    return Decimal(match[1]) * units[match[2].lower()]


class Size:
    """Bytes: a number with B, KB, MB, GB, TB (thousands) or KiB, MiB, GiB, TiB (1024s); alone it is bytes."""

    metavar = "SIZE"

    def __init__(self, least: int = 0) -> None:
        self.least = least
        self.allowed = "bytes, or a number with KB, MB, GB, TB, KiB, MiB, GiB or TiB"
        if least:
            self.allowed += f", from {self.show(least)} up"

    def read(self, raw: object) -> int:
        amount = _amount(raw, _SIZE_UNITS, self.allowed)
        if amount != amount.to_integral_value() or not self.least <= amount <= _LARGEST:
            raise _refuse(raw, self.allowed)
        return int(amount)

    def show(self, value: int) -> str:
        for unit in ("TiB", "GiB", "MiB", "KiB"):
            factor = _SIZE_UNITS[unit.lower()]
            if value and value % factor == 0:
                return f"{value // factor}{unit}"
        return f"{value}B"


class Duration:
    """Seconds: a number with s, m, h or d; alone it is seconds."""

    metavar = "DURATION"

    def __init__(self, least: float = 0.0) -> None:
        self.least = least
        self.allowed = "seconds, or a number with s, m, h or d"
        if least:
            self.allowed += f", from {self.show(least)} up"

    def read(self, raw: object) -> float:
        seconds = float(_amount(raw, _DURATION_UNITS, self.allowed))
        if not self.least <= seconds <= _LONGEST:
            raise _refuse(raw, self.allowed)
        return seconds

    def show(self, value: float) -> str:
        for unit in "dhm":
            if value and value % _DURATION_UNITS[unit] == 0:
                return f"{int(value) // _DURATION_UNITS[unit]}{unit}"
        return f"{value:.9f}".rstrip("0").rstrip(".") + "s"


class Folder(_Shown):
    """A path, `~` resolved; whoever reads it makes a relative one absolute."""

    metavar = "FOLDER"
    allowed = "a folder's path"

    def read(self, raw: object) -> Path:
        if not isinstance(raw, str | Path) or not str(raw).strip() or "\0" in str(raw):
            raise _refuse(raw, self.allowed)
        try:
            return Path(raw).expanduser()
        except RuntimeError as error:  # `~name` of a user who does not exist
            raise _refuse(raw, self.allowed) from error


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _is_address(text: str) -> bool:
    return "/" not in text and _is_network(text)


def _is_name(text: str) -> bool:
    last_label = text.rstrip(".").rpartition(".")[2]
    return len(text) <= 253 and _HOST_NAME.fullmatch(text) is not None and not last_label.isdigit()


class Address(_Shown):
    """An address or host name to listen on."""

    metavar = "ADDRESS"
    allowed = "an IP address or a host name"

    def read(self, raw: object) -> str:
        text = raw.strip().removeprefix("[").removesuffix("]") if isinstance(raw, str) else ""
        if not (_is_address(text) or _is_name(text)):
            raise _refuse(raw, self.allowed)
        return text


class Network(_Shown):
    """An IP address or a network in CIDR form."""

    metavar = "CIDR"
    allowed = "an IP address or a network such as 10.0.0.0/8"

    def read(self, raw: object) -> str:
        text = raw.strip() if isinstance(raw, str) else ""
        if not _is_network(text):
            raise _refuse(raw, self.allowed)
        return str(ipaddress.ip_network(text))


class Host(_Shown):
    """A host name, an IP address, or a network in CIDR form."""

    metavar = "HOST|CIDR"
    allowed = "a host name, an IP address or a network such as 10.0.0.0/8"

    def read(self, raw: object) -> str:
        text = raw.strip() if isinstance(raw, str) else ""
        if not (_is_network(text) or _is_name(text)):
            raise _refuse(raw, self.allowed)
        return text.lower()


def _split(text: str) -> tuple[str, str, str] | None:
    """Scheme, host and path of an http(s) URL without user, query and fragment; None when it is not one."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
        _ = parts.port
    except ValueError:
        return None
    if not usable or parts.query or parts.fragment or re.search(r"[\s\x00-\x1f\x7f]", text):
        return None
    return parts.scheme, parts.netloc.lower(), parts.path


class Url(_Shown):
    """An http or https URL without query; a trailing slash is dropped."""

    metavar = "URL"
    allowed = "an http or https URL without query, such as https://media.example.com"

    def read(self, raw: object) -> str:
        parts = _split(raw.strip()) if isinstance(raw, str) else None
        if parts is None:
            raise _refuse(raw, self.allowed)
        return f"{parts[0]}://{parts[1]}{parts[2].rstrip('/')}"


class Origin(_Shown):
    """A web origin: scheme, host and port, or `*`."""

    metavar = "ORIGIN"
    allowed = "a web origin such as https://app.example.com, or *"

    def read(self, raw: object) -> str:
        text = raw.strip() if isinstance(raw, str) else ""
        parts = _split(text)
        if text == "*":
            return text
        if parts is None or parts[2].strip("/"):
            raise _refuse(raw, self.allowed)
        return f"{parts[0]}://{parts[1]}"


class Optional:
    """Another kind, or `none`."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.metavar = kind.metavar
        self.allowed = f"{kind.allowed}; or none"

    def read(self, raw: object) -> Any:
        if isinstance(raw, str) and raw.strip().lower() == "none":
            return None
        try:
            return self.kind.read(raw)
        except Invalid as error:
            raise _refuse(raw, self.allowed) from error

    def show(self, value: Any) -> str:
        return "none" if value is None else self.kind.show(value)


class Listing:
    """Any number of another kind: the flag again for each, a TOML array, or one text with commas."""

    def __init__(self, item: Kind) -> None:
        self.item = item
        self.metavar = item.metavar
        self.allowed = f"{item.allowed}; any number of them"

    def read(self, raw: object) -> tuple[Any, ...]:
        if isinstance(raw, str):
            raw = [part for part in raw.split(",") if part.strip()]
        if not isinstance(raw, list | tuple):
            raise _refuse(raw, self.allowed)
        return tuple(dict.fromkeys(self.item.read(part) for part in raw))

    def show(self, value: tuple[Any, ...]) -> str:
        return ",".join(self.item.show(item) for item in value) or "none"


SWITCH, FOLDER, ADDRESS, CIDR, HOST = Switch(), Folder(), Address(), Network(), Host()
URL, ORIGIN = Url(), Origin()
