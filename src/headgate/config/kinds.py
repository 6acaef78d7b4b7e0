"""How each kind of value is read from TOML: what it must be, in words, and the check that says what was found instead."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from enum import Enum
from ipaddress import ip_address
from typing import Generic, TypeVar, cast
from urllib.parse import urlsplit

from headgate.config.problem import Unfit
from headgate.config.secret import SecretSource, read_source
from headgate.money import MAX_CAP, NANO_PER_DOLLAR, parse_dollars
from headgate.policy.attribution import TAGS, is_fact
from headgate.policy.network import Network, read_network
from headgate.terms.caller import Dimension

# The value of the one organisation. Its name is for people, and may change without opening new budgets.
WHOLE = "all"

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
E = TypeVar("E", bound=Enum)

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*")
_BASE = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")
_PERCENT = re.compile(r"([0-9]{1,3})%")


@dataclass(frozen=True, slots=True)
class Kind(Generic[T_co]):
    """`read` returns the value or raises `Unfit`."""

    expects: str
    read: Callable[[object], T_co]


@dataclass(frozen=True, slots=True)
class Address:
    """Where a listener binds."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Origin:
    """The only place that a path sends to."""

    host: str
    port: int
    tls: bool
    base: str


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a cap: `percent` of it, or an `amount` in its own unit."""

    percent: int | None = None
    amount: int | None = None

    def of(self, cap: int) -> int:
        """Rounded up for a reserve, so that what is left for the others is rounded down."""
        if self.percent is not None:
            return -(-cap * self.percent // 100)
        assert self.amount is not None
        return self.amount


@dataclass(frozen=True, slots=True)
class Scope:
    """What a budget is set on; value "*" is each."""

    dimension: Dimension
    value: str


def describe(value: object) -> str:
    """What was found, for a person; a long text is cut."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        shown = value if len(value) <= 60 else f"{value[:60]}…"
        return f'"{shown}"'.replace("\n", " ")
    if isinstance(value, int):
        digits = value.bit_length() // 3
        return str(value) if digits < 60 else f"a number of about {digits} digits"
    if isinstance(value, float):
        return f"{value}, a number with a decimal point"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "a table"
    return f"{value}"


def closest(word: str, known: list[str]) -> list[str]:
    """The known word that was probably meant, in a list of one; or none."""
    return get_close_matches(word, known, n=1, cutoff=0.6)


def nearest(word: str, known: list[str]) -> str:
    """`; did you mean "month"?`, or nothing."""
    return "".join(f'; did you mean "{one}"?' for one in closest(word, known))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Unfit(describe(value))
    return value


def text(most: int) -> Kind[str]:
    def read(value: object) -> str:
        found = _text(value)
        if not 0 < len(found) <= most or not found.isprintable() or found != found.strip():
            raise Unfit(describe(found))
        return found

    return Kind(f"text of 1 to {most} printable characters", read)


def _read_header(value: object) -> str:
    found = _text(value)
    if not 0 < len(found) <= 200 or not found.isascii() or not found.isprintable() or " " in found:
        raise Unfit(describe(found))
    return found


def _read_file(value: object) -> str:
    found = _text(value)
    if not found.strip() or "\0" in found:
        raise Unfit(describe(found))
    return found


def _read_name(value: object) -> str:
    found = _text(value)
    if _NAME.fullmatch(found) is None:
        raise Unfit(describe(found))
    return found


def count(least: int, most: int, what: str = "a whole number") -> Kind[int]:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise Unfit(describe(value))
        return value

    return Kind(f"{what} from {least:,} to {most:,}", read)


def _read_yes(value: object) -> bool:
    if not isinstance(value, bool):
        raise Unfit(describe(value))
    return value


def _read_dollars(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        # A float would already have lost the cents: 0.1 + 0.2 is not 0.3.
        raise Unfit(describe(value))
    if isinstance(value, int):
        if not 0 < value <= MAX_CAP // NANO_PER_DOLLAR:
            raise Unfit(describe(value))
        return value * NANO_PER_DOLLAR
    try:
        nano = parse_dollars(value)
    except ValueError:
        raise Unfit(describe(value)) from None
    if nano == 0:
        raise Unfit(describe(value))
    return nano


def _percent(value: str, least: int) -> int | None:
    match = _PERCENT.fullmatch(value.strip())
    if match is None:
        return None
    percent = int(match[1])
    if not least <= percent <= 100:
        raise Unfit(describe(value))
    return percent


def _read_percent(value: object) -> int:
    percent = _percent(_text(value), 0)
    if percent is None:
        raise Unfit(describe(value))
    return percent


def _read_brake(value: object) -> int | None:
    found = _text(value)
    if found == "off":
        return None
    percent = _percent(found, 1)
    if percent is None:
        raise Unfit(describe(value))
    return percent


def _read_reserve(value: object) -> Share:
    if isinstance(value, str) and value.strip().endswith("%"):
        percent = _percent(value, 1)
        if percent is not None:
            return Share(percent=percent)
    return Share(amount=_read_dollars(value))


def _read_address(value: object) -> Address:
    found = _text(value)
    host, colon, port = found.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not port.isascii() or not port.isdecimal() or not 0 <= int(port[:6]) <= 65535 or len(port) > 5:
        raise Unfit(describe(found))
    if ":" in bare and bare == host:
        raise Unfit(f"{describe(found)}, where an IPv6 address stands without brackets")
    if bare != "localhost":
        try:
            ip_address(bare)
        except ValueError:
            raise Unfit(describe(found)) from None
    return Address(bare, int(port))


def is_loopback(host: str) -> bool:
    """Whether a host can only be this machine, without asking DNS."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _read_origin(value: object) -> Origin:
    found = _text(value)
    if not found.isascii() or not found.isprintable():  # urlsplit drops line ends without a word
        raise Unfit(describe(found))
    try:
        parts = urlsplit(found)
        port = parts.port
    except ValueError:
        raise Unfit(describe(found)) from None
    if "@" in parts.netloc:
        raise Unfit("an address with a credential in it (not shown)")
    host = parts.hostname or ""
    if parts.scheme not in ("https", "http") or parts.query or parts.fragment or "?" in found or "#" in found or port == 0:
        raise Unfit(describe(found))
    base = parts.path.rstrip("/")
    if _BASE.fullmatch(base) is None or not (_HOST.fullmatch(host) or _is_address(host)):
        raise Unfit(describe(found))
    tls = parts.scheme == "https"
    if not tls and not is_loopback(host):
        raise Unfit(f"{describe(found)}, which would send the credential in clear over a network")
    return Origin(host, port or (443 if tls else 80), tls, base)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return "%" not in host


def _read_zone(value: object) -> str:
    found = _text(value)
    if found == "UTC":  # a bare machine may have no zone files; UTC needs none
        return found
    known = zoneinfo.available_timezones()
    if found not in known:
        raise Unfit(f"{describe(found)}{nearest(found, sorted(known))}")
    return found


def _read_weekday(value: object) -> int:
    found = _text(value)
    if found not in _WEEKDAYS:
        raise Unfit(f"{describe(found)}{nearest(found, _WEEKDAYS)}")
    return _WEEKDAYS.index(found)


def _read_day(value: object) -> str:
    if isinstance(value, datetime) or not isinstance(value, date):
        raise Unfit(describe(value))
    return value.isoformat()


def _read_scope(value: object) -> Scope:
    found = _text(value)
    word, colon, name = found.partition(":")
    if word not in _DIMENSIONS:
        raise Unfit(f"{describe(found)}{nearest(word, list(_DIMENSIONS))}")
    dimension = _DIMENSIONS[word]
    if dimension is Dimension.ORGANISATION:
        if colon:
            raise Unfit(f'{describe(found)}; there is one organisation: write scope = "organisation"')
        return Scope(dimension, WHOLE)
    if name != "*" and not is_fact(name):
        raise Unfit(describe(found))
    return Scope(dimension, name)


def _read_network_item(value: object) -> Network:
    try:
        return read_network(_text(value))
    except ValueError as error:
        raise Unfit(str(error)) from None


def _read_tag(value: object) -> Dimension:
    found = _text(value)
    names = [dimension.value for dimension in TAGS]
    if found not in names:
        raise Unfit(f"{describe(found)}{nearest(found, names)}")
    return Dimension(found)


def choice(kind: type[E]) -> Kind[E]:
    names = [str(member.value) for member in kind]

    def read(value: object) -> E:
        found = _text(value)
        if found not in names:
            raise Unfit(f"{describe(found)}{nearest(found, names)}")
        return kind(found)

    return Kind("one of " + ", ".join(f'"{name}"' for name in names), read)


def several(kind: Kind[T], least: int = 0) -> Kind[tuple[T, ...]]:
    """A list in the order written, each item once."""

    def read(value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise Unfit(describe(value))
        found: list[T] = []
        for number, item in enumerate(cast("list[object]", value)):
            try:
                one = kind.read(item)
            except Unfit as unfit:
                raise Unfit(unfit.found, unfit.expected or kind.expects, (number, *unfit.within)) from None
            if one in found:
                raise Unfit(f"{describe(item)} a second time", "each item once", (number,))
            found.append(one)
        if len(found) < least:
            raise Unfit("an empty list")
        return tuple(found)

    return Kind(f"a list{' that is not empty' if least else ''}; each item {kind.expects}", read)


_WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_DIMENSIONS = {dimension.value: dimension for dimension in Dimension}

YES_NO = Kind("true or false", _read_yes)
NAME = Kind("a name of small letters, digits and hyphens that begins with a letter, at most 40 characters", _read_name)
FILE = Kind("a file or folder; relative to the folder of headgate.toml", _read_file)
HEADER = Kind("text of 1 to 200 visible ASCII characters without spaces", _read_header)
DOLLARS: Kind[int] = Kind(
    'dollars, more than 0, as text with at most nine decimals ("500", "0.25") or as a whole number (500)', _read_dollars
)
TOKENS = count(1, MAX_CAP, "a whole number of tokens")
PERCENT = Kind('whole percent as text, "0%" to "100%"', _read_percent)
BRAKE = Kind('whole percent of the month\'s cap as text, "1%" to "100%", or "off"', _read_brake)
RESERVE = Kind('a part of the cap as text ("40%") or in dollars ("400")', _read_reserve)
ADDRESS = Kind("an IP address (or localhost) and a port, host:port", _read_address)
ORIGIN = Kind("an https:// address without credential, query or fragment (http:// only for this machine itself)", _read_origin)
ZONE = Kind("an IANA time zone", _read_zone)
WEEKDAY = Kind("a day of the week in English, small letters", _read_weekday)
DAY = Kind("a date without quotes, year-month-day", _read_day)
SECRET: Kind[SecretSource] = Kind('where the secret is: "env:NAME" or "file:PATH", never the secret itself', read_source)
SCOPE = Kind(
    '"organisation", or a dimension and a value: "user:alice@example.com", "repository:*" for each one. Dimensions: '
    + ", ".join(name for name in _DIMENSIONS if name != "organisation"),
    _read_scope,
)
NETWORK = Kind('a network as address and prefix length, "10.20.0.0/16"', _read_network_item)
TAG = Kind("one of " + ", ".join(f'"{dimension.value}"' for dimension in TAGS), _read_tag)
