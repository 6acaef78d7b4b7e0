"""The body that asks the provider how many input tokens a request has (`POST /v1/responses/input_tokens`).

Source: `client.responses.input_tokens.count` of openai-python 3.52.0. Chat Completions has no such endpoint.
"""

from __future__ import annotations

import msgspec

from headgate.wire.request import ModelRequest

COUNTED = frozenset(
    [
        "model",
        "input",
        "instructions",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "previous_response_id",
        "conversation",
        "reasoning",
        "text",
        "truncation",
    ]
)


class Count(msgspec.Struct, frozen=True):
    input_tokens: int


_decoder = msgspec.json.Decoder(Count)


def count_body(request: ModelRequest) -> bytes:
    """The fields of the request that make up its input, byte for byte."""
    return msgspec.json.encode({name: value for name, value in request.fields.items() if name in COUNTED})


def read_count(body: bytes) -> int | None:
    """The number of input tokens (tokens), or None when the answer does not say a believable one."""
    try:
        tokens = _decoder.decode(body).input_tokens
    except msgspec.MsgspecError:
        return None
    return tokens if tokens > 0 else None
