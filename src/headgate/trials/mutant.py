"""A copy of the product with one promise broken on purpose, for a trial that must be seen to fail."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

PACKAGE = Path(__file__).resolve().parent.parent


class Mutation(msgspec.Struct, frozen=True):
    """One file and the texts that are replaced in it; each must stand there exactly once, or the mutation proves nothing."""

    means: str
    file: str
    changes: tuple[tuple[str, str], ...]


_HOLD = """\
    grant = await gate.desk.hold(prepared.order)
    if isinstance(grant, Refusal):
        return await refuse(gate, call, grant, answer)
"""
_SEND_FIRST = """\
    early = Grant(prepared.order.attempt, prepared.order.bound.wanted_output, 0, 0, call.arrived_us, '', False)
    outcome = await attempt(Passage(gate, call, prepared, early, answer, None), written(call, prepared, early))
    grant = await gate.desk.hold(prepared.order)
    if isinstance(grant, Refusal):
        return None
    return await close(gate, call, prepared, grant, outcome)
"""
_IMPORT = "from headgate.terms.ending import Ending, Outcome\n"
_DOUBT = "Settlement(attempt, Charge.SUSPECT, Outcome(Ending.CRASHED))"

MUTATIONS: dict[str, Mutation] = {
    "send-before-hold": Mutation(
        "The call is sent first and held afterwards.",
        "gateway/exchange.py",
        ((_IMPORT, f"{_IMPORT}from headgate.terms.order import Grant\n"), (_HOLD, _SEND_FIRST)),
    ),
    "void-on-cut": Mutation(
        "An answer that broke off frees its hold.",
        "ledger/ending.py",
        (("(Ending.CUT, False): Charge.SUSPECT", "(Ending.CUT, False): Charge.VOID"),),
    ),
    "forget-the-killed": Mutation(
        "A start frees what the last process had open.",
        "store/ledger.py",
        ((_DOUBT, _DOUBT.replace("SUSPECT", "VOID")),),
    ),
}


def write_mutant(name: str, folder: Path) -> Path:
    """The folder to import the broken copy from."""
    mutation = MUTATIONS[name]
    shutil.copytree(PACKAGE, folder / "headgate", ignore=shutil.ignore_patterns("__pycache__"))
    file = folder / "headgate" / mutation.file
    text = file.read_text("utf-8")
    for old, new in mutation.changes:
        assert text.count(old) == 1, f"{mutation.file} has changed, and the mutation {name} no longer fits it: {old!r}"
        text = text.replace(old, new)
    file.write_text(text, "utf-8")
    return folder
