"""One answer before it is written down: what is said, how it ends, and every token it costs.

Rule 1  An answer is never longer than `max_output_tokens`, reasoning included; what does not fit is cut and the answer is incomplete.
Rule 2  What is told is what is billed; only a fault may tell something else.
"""

from __future__ import annotations

from dataclasses import dataclass

from headgate.rehearsal.ask import Ask
from headgate.rehearsal.meter import Tokens
from headgate.rehearsal.prices import Row
from headgate.rehearsal.says import Say, SayText, Search, said_text
from headgate.rehearsal.script import act
from headgate.rehearsal.settings import Settings
from headgate.rehearsal.tokens import cut_text, text_bytes, tokens_of

_REASONING = {"none": 0, "minimal": 16, "low": 32, "medium": 64, "high": 128, "xhigh": 256, "max": 512}
COMPLETED, INCOMPLETE, FAILED = "completed", "incomplete", "failed"
MAX_OUTPUT_TOKENS, CONTENT_FILTER = "max_output_tokens", "content_filter"


@dataclass(frozen=True, slots=True)
class Plan:
    """`row` and `tier` are what is billed and told; `choices` has one list of deeds for each choice."""

    row: Row
    tier: str
    choices: tuple[tuple[Say, ...], ...]
    tokens: Tokens
    status: str = COMPLETED
    reason: str | None = None
    told_usage: bool = True


def plan(ask: Ask, settings: Settings, input_tokens: int, cached: int, written: int) -> Plan:
    """The answer a healthy provider gives."""
    tier = settings.auto_tier if ask.tier == "auto" else ask.tier
    if not ask.row.sells(tier):
        tier = "default"
    most = ask.row.max_output if ask.max_output is None else ask.max_output
    reasoning = min(_REASONING[ask.effort or "medium"] if ask.row.reasoning else 0, most // 4)
    choices: list[tuple[Say, ...]] = []
    visible, cut = 0, False
    for says in act(ask, settings.text_tokens, settings.bytes_per_token):
        kept, used = _fit(says, most - reasoning, settings.bytes_per_token)
        cut = cut or kept != says
        choices.append(kept)
        visible += used
    output = visible + reasoning * ask.choices
    if settings.full_output:
        reasoning, output = most * ask.choices - visible, most * ask.choices
    else:
        reasoning *= ask.choices
    tokens = Tokens(
        input=input_tokens,
        output=output,
        cached=cached,
        write_30m=0 if ask.cache_12h else written,
        write_12h=written if ask.cache_12h else 0,
        reasoning=reasoning,
        searches=sum(isinstance(say, Search) for says in choices for say in says),
    )
    return Plan(ask.row, tier, tuple(choices), tokens, INCOMPLETE if cut else COMPLETED, MAX_OUTPUT_TOKENS if cut else None)


def _fit(says: tuple[Say, ...], most_tokens: int, bytes_per_token: int) -> tuple[tuple[Say, ...], int]:
    """As much of what is said as fits into these output tokens, and the tokens it takes."""
    kept: list[Say] = []
    used = 0
    for say in says:
        need = tokens_of(text_bytes(said_text(say)), bytes_per_token)
        if used + need <= most_tokens:
            kept.append(say)
            used += need
            continue
        if isinstance(say, SayText):
            text = cut_text(say.text, (most_tokens - used) * bytes_per_token)
            if text:
                kept.append(SayText(text, say.refusal))
                used += tokens_of(text_bytes(text), bytes_per_token)
        break
    return tuple(kept), used
