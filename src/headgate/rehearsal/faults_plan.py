"""Faults in what the provider does: it ends otherwise, uses more, or bills dearer. What is told and what is billed agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from headgate.rehearsal.ask import CHAT, Ask, Tool
from headgate.rehearsal.meter import Tokens
from headgate.rehearsal.plan import CONTENT_FILTER, FAILED, INCOMPLETE, MAX_OUTPUT_TOKENS, Plan
from headgate.rehearsal.prices import LONG_CONTEXT, price_list
from headgate.rehearsal.says import Say, SayText, Search, said_text
from headgate.rehearsal.script import use
from headgate.rehearsal.tokens import cut_text, text_bytes

_TOOL = Tool("function", "rehearsal_tool", {"type": "object", "properties": {"note": {"type": "string"}}, "required": ["note"]})
_MULTI_BYTE = "naïve café — 漢字かな 🙂🙃 ﷽ "
_DEARER = ("gpt-5.5-pro", "gpt-6-astra")


def _say_only(plan: Plan, says: tuple[Say, ...]) -> Plan:
    return replace(plan, choices=tuple(says for _ in plan.choices))


def _tokens(plan: Plan, **change: int) -> Plan:
    return replace(plan, tokens=replace(plan.tokens, **change))


def _most(ask: Ask) -> int:
    return (ask.row.max_output if ask.max_output is None else ask.max_output) * ask.choices


def _incomplete_max(ask: Ask, plan: Plan, at: int | None) -> Plan:
    """The whole of max_output_tokens is used, and the text stops in the middle."""
    output = _most(ask)
    said = sum(len(said_text(say)) for say in plan.choices[0])
    halved = replace(plan, choices=tuple(tuple(_half(say) for say in says) for says in plan.choices)) if said > 1 else plan
    return _tokens(
        replace(halved, status=INCOMPLETE, reason=MAX_OUTPUT_TOKENS), output=output, reasoning=min(plan.tokens.reasoning, output)
    )


def _half(say: Say) -> Say:
    return SayText(say.text[: len(say.text) // 2], say.refusal) if isinstance(say, SayText) else say


def _incomplete_filter(ask: Ask, plan: Plan, at: int | None) -> Plan:
    halved = replace(plan, choices=tuple(tuple(_half(say) for say in says) for says in plan.choices))
    return replace(halved, status=INCOMPLETE, reason=CONTENT_FILTER)


def _failed(told_usage: bool) -> Callable[[Ask, Plan, int | None], Plan]:
    return lambda ask, plan, at: replace(plan, status=FAILED, reason=None, told_usage=told_usage)


def _tool_call(ask: Ask, plan: Plan, at: int | None) -> Plan:
    """A call of the first tool of the client, or of one it never offered."""
    tool = next((tool for tool in ask.tools if tool.kind in ("function", "custom")), _TOOL)
    return _say_only(plan, (use(tool, ask),))


def _refusal(ask: Ask, plan: Plan, at: int | None) -> Plan:
    return _say_only(plan, (SayText("I'm sorry, but I can't help with that.", refusal=True),))


def _cached_and_writes(ask: Ask, plan: Plan, at: int | None) -> Plan:
    """Input of 4,096 tokens (or `at`): half of it cached, an eighth written for 30 minutes and, in Responses, an eighth for 12 hours."""
    total = 4_096 if at is None else at
    eighth = total // 8
    if not ask.row.bills_writes:
        return _tokens(plan, input=total, cached=total // 2 if ask.row.caches else 0, write_30m=0, write_12h=0)
    if ask.api == CHAT:  # its usage has no place for how long a write is kept
        return _tokens(plan, input=total, cached=total // 2, write_30m=2 * eighth, write_12h=0)
    return _tokens(plan, input=total, cached=total // 2, write_30m=eighth, write_12h=eighth)


def _tier_differs(ask: Ask, plan: Plan, at: int | None) -> Plan:
    """Served in a tier that was not asked for: the dearest the model has, or with `at` = 1 the cheapest."""
    order = ("flex", "default", "priority", "ultrafast")
    sold = [tier for tier in order if plan.row.sells(tier) and tier != plan.tier]
    return replace(plan, tier=sold[0 if at == 1 else -1]) if sold else plan


def _long_context(ask: Ask, plan: Plan, at: int | None) -> Plan:
    """`at` input tokens; one more than the short band unless told."""
    return _tokens(plan, input=LONG_CONTEXT + 1 if at is None else at, cached=0, write_30m=0, write_12h=0)


def _above_hold(ask: Ask, plan: Plan, at: int | None) -> Plan:
    """Ten times the output that was allowed (or `at` tokens) and a million tokens of input: above any hold."""
    output = 10 * _most(ask) if at is None else at
    return replace(plan, tokens=Tokens(input=1_000_000, output=output))


def _output_above(ask: Ask, plan: Plan, at: int | None) -> Plan:
    """`at` tokens more than the maximum; 1,000 unless told."""
    return _tokens(plan, output=_most(ask) + (1_000 if at is None else at))


def _dearer_model(ask: Ask, plan: Plan, at: int | None) -> Plan:
    """Answered, told and billed as a dearer model."""
    name = next(name for name in _DEARER if name != ask.row.model)
    return replace(plan, row=price_list()[name], tier="default")


def _too_many_searches(ask: Ask, plan: Plan, at: int | None) -> Plan:
    """More searches than max_tool_calls allows; `at` is how many more, 3 unless told."""
    searches = (ask.max_tool_calls or 0) + (3 if at is None else at)
    says = tuple(Search(f"rehearsal {number + 1}") for number in range(searches))
    return _tokens(replace(plan, choices=(says + plan.choices[0],)), searches=searches)


def _multi_byte(ask: Ask, plan: Plan, at: int | None) -> Plan:
    """A text of two-, three- and four-byte characters, no longer in bytes than the one it replaces."""
    return replace(plan, choices=tuple(tuple(_in_multi_byte(say) for say in says) for says in plan.choices))


def _in_multi_byte(say: Say) -> Say:
    if not isinstance(say, SayText):
        return say
    room = text_bytes(say.text)
    return SayText(cut_text(_MULTI_BYTE * (room // len(_MULTI_BYTE.encode()) + 1), room), say.refusal)


PLAN: dict[str, Callable[[Ask, Plan, int | None], Plan]] = {
    "incomplete_max_tokens": _incomplete_max,
    "incomplete_content_filter": _incomplete_filter,
    "failed_with_usage": _failed(told_usage=True),
    "failed_without_usage": _failed(told_usage=False),
    "tool_call": _tool_call,
    "refusal_text": _refusal,
    "cached_and_writes": _cached_and_writes,
    "tier_differs": _tier_differs,
    "long_context": _long_context,
    "usage_above_hold": _above_hold,
    "output_above_max": _output_above,
    "dearer_model": _dearer_model,
    "tool_calls_above_max": _too_many_searches,
    "utf8_split": _multi_byte,
}
