"""The list of models, in one body that OpenAI SDKs and Codex both read.

SDKs read `data`, Codex reads `models`. An entry of `models` replaces everything that Codex knows of a model, its base instructions
included (they are a required field), so an entry of our own making would quietly give every developer another prompt. Measured with Codex
0.169.0: from an empty list it takes its own metadata for the models it knows; from a body without the list it asks again. So an entry is
only there when an operator wrote it (`codex debug models` prints the shape). With `model_catalog_url` the list is all there is to Codex:
from an empty one it has no default model, and of a model that is named it knows nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class ModelEntry(msgspec.Struct, frozen=True):
    """One model that a caller may use. `codex` is the operator's own catalogue entry for it, as JSON."""

    model: str
    path: str
    window_tokens: int
    max_output_tokens: int
    reasoning: bool
    codex: msgspec.Raw | None = None


class _Model(msgspec.Struct):
    """OpenAI's published fields first; clients pass over the rest."""

    id: str
    owned_by: str
    context_window: int
    max_output_tokens: int
    reasoning: bool
    object: str = "model"
    created: int = 0  # nobody here knows


class _Models(msgspec.Struct):
    data: list[_Model]
    models: list[msgspec.Raw]
    object: str = "list"


def models_body(models: Sequence[ModelEntry]) -> bytes:
    """The whole list, sorted by name."""
    ordered = sorted(models, key=lambda entry: entry.model)
    return msgspec.json.encode(_Models([_shown(entry) for entry in ordered], [entry.codex for entry in ordered if entry.codex is not None]))


def model_body(model: ModelEntry) -> bytes:
    """One model, for `GET /v1/models/{id}`."""
    return msgspec.json.encode(_shown(model))


def _shown(entry: ModelEntry) -> _Model:
    return _Model(entry.model, entry.path, entry.window_tokens, entry.max_output_tokens, entry.reasoning)
