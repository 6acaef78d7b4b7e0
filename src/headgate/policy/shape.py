"""Which kind of request this is, as far as its bound goes: a breach closes path × model × shape, not everything a workspace does.

Only what changes the bound is a part of the shape. Were `stream` one, a caller could walk out of a closed shape by turning it off.
"""

from __future__ import annotations

from headgate.wire.request import ModelRequest


def shape_of(request: ModelRequest, hosted: bool) -> str:
    """`responses`, or `responses+hosted+previous`: the API and the parts that change how a request is bounded, in a fixed order."""
    parts = (
        ("background", request.background),
        ("choices", request.choices > 1),
        ("conversation", request.conversation),
        ("hosted", hosted),
        ("opaque", request.opaque),
        ("previous", request.previous_response_id is not None),
        ("prompt", request.prompt_id),
        ("tier", request.service_tier not in (None, "auto", "default")),
    )
    return "+".join([request.api.value, *(name for name, present in parts if present)])


def frozen_shape(path: str, model: str, shape: str) -> str:
    """The name under which a breach closes a shape."""
    return f"shape:{path}/{model}/{shape}"


def frozen_workspace(name: str) -> str:
    """The name under which an overrun closes a workspace."""
    return f"workspace:{name}"
