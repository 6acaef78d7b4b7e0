from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from headgate.control.command import AnyCommand, Command, IssueKey, SetCap, decoder, encoder


def test_every_command_is_one_json_object_that_says_who_gives_it() -> None:
    kinds: list[type[Command]] = [kind for kind in get_args(AnyCommand) if issubclass(kind, Command)]
    tags = [kind.__struct_config__.tag for kind in kinds]
    assert len(set(tags)) == len(tags) == 11
    assert all("actor" in kind.__struct_fields__ and kind.__struct_config__.forbid_unknown_fields for kind in kinds)


def test_a_command_comes_back_as_it_went() -> None:
    asked = IssueKey(actor="alice", workspace="ci", label="x", facts={"team": "a"}, models=["m"], networks=["10.0.0.0/8"], days=3)
    assert decoder.decode(encoder.encode(asked)) == asked
    cap = SetCap(actor="alice", rule="r", scope="s", cap=4 * 10**18, reason="because", hours=1)
    assert decoder.decode(encoder.encode(cap)) == cap


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b'{"do":"status"}',
        b'{"do":"explode","actor":"a"}',
        b'{"do":"status","actor":1}',
        b'{"do":"status","actor":"a","more":1}',
        b'{"do":"budget.set","actor":"a","rule":"r","scope":"s","cap":1.5,"reason":"x","hours":1}',
        b'{"do":"key.issue","actor":"a","workspace":"ci","label":"x","days":"90"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_command_is_not_guessed_at(line: bytes) -> None:
    with pytest.raises((msgspec.MsgspecError, RecursionError)):
        decoder.decode(line)
