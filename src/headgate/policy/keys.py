"""The text of a key: how it is made, how a mistyped one is told without a look-up, and how it is shown to people.

`hgk_` + 43 base62 digits of 32 random bytes + 6 base62 digits of the CRC32 of all before. The checksum proves nothing but that the key
was copied whole; it lets secret scanners find leaked keys without asking the gate. Only the SHA-256 of a key is ever stored.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping

from headgate.refusal import Reason, Refusal

PREFIX = "hgk_"
SECRET_BYTES = 32

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY = 43  # 62^43 > 2^256
_CHECK = 6  # 62^6 > 2^32
_LENGTH = len(PREFIX) + _BODY + _CHECK
_SHOWN = 4  # digits that people see; 2^232 keys share them


def make_key(secret: bytes) -> str:
    """The key made of 32 bytes of the caller's chance."""
    assert len(secret) == SECRET_BYTES, "a key holds 256 bits of chance"
    text = PREFIX + _base62(int.from_bytes(secret, "big"), _BODY)
    return text + _checksum(text)


def is_key(text: str) -> bool:
    """Whether the text has the form of a key and its checksum fits: not whether anybody issued it."""
    return (
        len(text) == _LENGTH
        and text.startswith(PREFIX)
        and text.isascii()
        and text[len(PREFIX) :].isalnum()
        and _checksum(text[:-_CHECK]) == text[-_CHECK:]
    )


def digest(key: str) -> bytes:
    """What is stored of a key. It needs no salt and no slow hash: nobody guesses 256 bits."""
    return hashlib.sha256(key.encode("ascii")).digest()


def show_key(key: str) -> str:
    """`hgk_Ab12…`: enough to recognise one's own key, nothing to use it with."""
    return f"{key[: len(PREFIX) + _SHOWN]}…"


def presented_key(headers: Mapping[bytes, bytes]) -> str | Refusal:
    """The well-formed key of `Authorization: Bearer …`, or why there is none. The message never repeats what was sent."""
    value = headers.get(b"authorization")
    if value is None:
        return Refusal(Reason.MISSING_KEY, "No key was sent. Send your Headgate key as the header Authorization: Bearer hgk_…")
    scheme, _, rest = value.partition(b" ")
    text = rest.strip(b" ").decode("latin-1")
    if scheme.lower() != b"bearer" or not text:
        return Refusal(Reason.INVALID_KEY, "The Authorization header is not of the form: Bearer hgk_…")
    if not text.startswith(PREFIX):
        return Refusal(Reason.INVALID_KEY, "This is not a Headgate key: those begin with hgk_. A provider's own key is not accepted here.")
    if not is_key(text):
        return Refusal(Reason.INVALID_KEY, "The key is not complete: its checksum does not fit. Copy it again, without spaces.")
    return text


def _checksum(text: str) -> str:
    return _base62(zlib.crc32(text.encode("ascii")), _CHECK)


def _base62(number: int, width: int) -> str:
    digits: list[str] = []
    for _ in range(width):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    assert number == 0, "the width holds the number"
    return "".join(reversed(digits))
