"""What Codex tells about its turn, in a header and again in the body, without the credentials that stand in git addresses.

Codex up to 0.148 sends `https://oauth2:TOKEN@host/…` as the address of a remote; later releases still send `?access_token=…`.

Rule 1  A credential is taken out before anything is kept or forwarded: user and password of an address, and every query field whose name
        speaks of a secret. `git@host:…` and `ssh://git@host/…` name no secret and stay.
Rule 2  The same text always comes out the same, and twice is the same as once; a provider's prompt cache depends on it.
Rule 3  What was clean comes out byte for byte. What is not JSON is dropped, because nobody can say what stands in it.
Rule 4  All of it is claimed by the client. It is good for attribution and never proves anything.
"""

from __future__ import annotations

import re
from enum import Enum

import msgspec

from headgate.wire.objects import UNREADABLE, deep

_Json = dict[str, "_Json"] | list["_Json"] | str | int | bool | None  # and fractions, which are passed as they are

TURN_HEADER = b"x-codex-turn-metadata"
MOST_REPOSITORIES = 32
_MOST_TEXT = 256  # characters of one claimed fact

# The part before `@` in `scheme://user:password@host`. The last `@` before the path counts: a password may hold one.
_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,32}://)(?P<user>[^/?#\s\"'<>]*)@")
# `user:password@host:path`, the short form of ssh, with a password that no ssh would read.
_SHORT = re.compile(r"(?P<before>^|[\s\"'(=,])(?P<user>[^\s/:@\"']{1,256}):(?P<password>[^\s/@\"']{1,1024})@(?P<host>[A-Za-z0-9.-]+[:/])")
_SECRET_WORDS = "token|secret|password|passwd|pwd|api_?key|apikey|auth|credential|signature|sig|jwt|pat"
_QUERY = re.compile(rf"(?P<mark>[?&;#])(?P<name>[A-Za-z0-9_.%-]*(?:{_SECRET_WORDS})[A-Za-z0-9_.%-]*)=[^&;#\s\"'<>]*", re.IGNORECASE)
_LEFT_OPEN = re.compile(r"[?&;#]+(?=$|[\s\"'<>])")
_SUSPICIOUS = re.compile(r"@|%40|token|secret|pass|pwd|key|auth|cred|sig|jwt|pat", re.IGNORECASE)

# Names of a user that are not a secret: the account that a git host itself uses.
_PLAIN_USERS = frozenset({"git"})


class Dropped(Enum):
    """The metadata could not be read, so it went nowhere."""

    UNREADABLE = "unreadable"


class Claimed(msgspec.Struct, frozen=True):
    """What a turn says of itself. `repositories` are `host/owner/name`, lower case, each once, in the order they were told."""

    session: str | None = None
    turn: str | None = None
    repositories: tuple[str, ...] = ()
    thread_source: str | None = None
    request_kind: str | None = None


class _Folder(msgspec.Struct):
    associated_remote_urls: dict[str, str] | None = None


class _Turn(msgspec.Struct):
    session_id: str | None = None
    turn_id: str | None = None
    thread_source: str | None = None
    request_kind: str | None = None
    workspaces: dict[str, _Folder] | None = None


_TURN = msgspec.json.Decoder(_Turn)
_REMOTE = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9+.-]*://)?(?:[^@/\s]*@)?(?P<host>[A-Za-z0-9.-]+)(?::[0-9]+(?=/))?[:/]+(?P<name>[^\s?#]+?)(?:\.git)?/*(?:[?#].*)?"
)


def clean_turn_metadata(text: bytes | msgspec.Raw) -> bytes:
    """The same JSON without credentials; empty when it cannot be read and so is dropped. Serves the header and `client_metadata` alike."""
    raw = bytes(text)
    if deep(raw, 0):
        return b""
    try:
        value: _Json = msgspec.json.decode(raw)
        raw.decode()
    except (*UNREADABLE, RecursionError):
        return b""
    cleaned = _clean(value, 0)
    # What was clean is passed as it stands: its spaces and escapes may matter to somebody.
    return raw if cleaned == value else msgspec.json.encode(cleaned)


def turn_facts(header: bytes) -> Claimed | Dropped:
    """What the turn claims, as far as it can be read."""
    try:
        turn = _TURN.decode(header)
        header.decode()
    except (*UNREADABLE, RecursionError):
        return Dropped.UNREADABLE
    repositories: dict[str, None] = {}
    for folder in (turn.workspaces or {}).values():
        for address in (folder.associated_remote_urls or {}).values():
            name = repository_of(address)
            if name is not None:
                repositories[name] = None
    return Claimed(
        session=_short(turn.session_id),
        turn=_short(turn.turn_id),
        repositories=tuple(repositories)[:MOST_REPOSITORIES],
        thread_source=_short(turn.thread_source),
        request_kind=_short(turn.request_kind),
    )


def repository_of(address: str) -> str | None:
    """`git@github.com:Acme/App.git` and `https://github.com/acme/app` are both `github.com/acme/app`."""
    match = _REMOTE.fullmatch(address.strip())
    if match is None or "." not in match["host"] or "/" not in match["name"].strip("/"):
        return None
    return _short(f"{match['host']}/{match['name'].strip('/')}".lower())


def clean_text(text: str) -> str:
    """One text without the credentials of the addresses in it."""
    if _SUSPICIOUS.search(text) is None:
        return text
    text = _USERINFO.sub(_without_user, text)
    text = _SHORT.sub(lambda match: f"{match['before']}{match['user']}@{match['host']}" if match["user"] in _PLAIN_USERS else
                      f"{match['before']}{match['host']}", text)  # fmt: skip
    once = _QUERY.sub(lambda match: match["mark"], text)
    return text if once == text else _LEFT_OPEN.sub("", re.sub(r"(?<=[?&;#])&+", "", once))


def _without_user(match: re.Match[str]) -> str:
    """Keeps the bare account of the host, drops everybody else."""
    user = match["user"].split(":", 1)[0]
    return f"{match['scheme']}{user}@" if user in _PLAIN_USERS else match["scheme"]


def _clean(value: _Json, level: int) -> _Json:
    """Every text in the document, names of fields included; a text that is itself a document is cleaned as one."""
    if isinstance(value, str):
        return _clean_string(value, level)
    if isinstance(value, list):
        return [_clean(item, level) for item in value]
    if isinstance(value, dict):
        return {clean_text(name): _clean(item, level) for name, item in value.items()}
    return value


def _clean_string(text: str, level: int) -> str:
    if level < 2 and text[:1] in ("{", "["):
        try:
            value: _Json = msgspec.json.decode(text)
        except (*UNREADABLE, RecursionError):
            return clean_text(text)
        cleaned = _clean(value, level + 1)
        return text if cleaned == value else msgspec.json.encode(cleaned).decode()
    return clean_text(text)


def _short(text: str | None) -> str | None:
    """A fact short enough to be kept, and printable."""
    return text[:_MOST_TEXT] if text and text.isprintable() else None
