"""The rehearsal's own token rule: a fixed number of UTF-8 bytes to a token, so that every count is exact.

Rule 1  The tokens of a text are never more than its UTF-8 bytes (true of every byte-level tokenizer); one token per byte is the
        meanest case.
Rule 2  The weight of a JSON value is never more than the bytes of its shortest JSON form: strings count their bytes, an object two
        bytes a member, an array one byte an element, everything else one byte.
Rule 3  What bytes do not bound (images, files, audio) costs a fixed number of tokens, however small its bytes are.
"""

from __future__ import annotations

from typing import Any, cast

from headgate.rehearsal.shapes import rows, table
from headgate.rehearsal.shapes import text as text_of

OPAQUE_TOKENS = {"input_image": 1_105, "image_url": 1_105, "input_file": 2_048, "file": 2_048, "input_audio": 640}


def text_bytes(text: str) -> int:
    """UTF-8 bytes of a text; a lone surrogate weighs three, half of its JSON escape."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def weigh(value: Any) -> int:
    """Bytes of what a model would read of this JSON value (Rule 2)."""
    if isinstance(value, str):
        return text_bytes(value)
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        if text_of(members.get("type")) in OPAQUE_TOKENS:
            return 0
        return sum(text_bytes(name) + weigh(member) + 2 for name, member in members.items())
    if isinstance(value, list):
        return sum(weigh(element) + 1 for element in cast("list[Any]", value))
    return 1


def opaque_tokens(item: Any) -> int:
    """Tokens of the images, files and sounds in one message or item (Rule 3)."""
    members = table(item)
    parts = [*rows(members.get("content")), *rows(members.get("output"))]
    return sum(OPAQUE_TOKENS.get(str(table(part).get("type")), 0) for part in parts)


def tokens_of(byte_count: int, bytes_per_token: int) -> int:
    return -(-byte_count // bytes_per_token)


def cut_text(text: str, most_bytes: int) -> str:
    """The longest beginning of a text that fits, cut between characters."""
    if text_bytes(text) <= most_bytes:
        return text
    return text.encode("utf-8", "replace")[: max(0, most_bytes)].decode("utf-8", "ignore")
