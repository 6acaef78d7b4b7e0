from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from headgate.control.reports import BudgetLine
from headgate.gateway.tally import Tally
from headgate.web.metrics import render


def line(scope: str, rule: str = "workspace:ci/day/money") -> BudgetLine:
    return BudgetLine(rule, scope, "money", 10**12, None, 5, 4, 3, 2, 1, 0, 1)


def page(tally: Tally, lines: list[BudgetLine] | None = None) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """The page as Prometheus reads it: name -> labels -> value."""
    text = render(tally.snapshot(), lines or [], {"up": 1, "connections": 3}).decode()
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            known = found.setdefault(sample.name, {})
            labels = tuple(sorted(sample.labels.items()))
            assert labels not in known, f"{sample.name} {labels} stands twice"
            known[labels] = sample.value
    return found


def test_counts_and_balances_are_told_in_whole_numbers() -> None:
    tally = Tally()
    tally.add("exchanges_total", "workspace", "ci", "model", "gpt-5.5", "ending", "completed", amount=7)
    tally.add("refusals_total", "workspace", "", "reason", "invalid_key")
    told = page(tally, [line("workspace:ci")])
    assert told["headgate_up"] == {(): 1} and told["headgate_connections"] == {(): 3}
    assert told["headgate_exchanges_total"] == {(("ending", "completed"), ("model", "gpt-5.5"), ("workspace", "ci")): 7}
    assert told["headgate_refusals_total"] == {(("reason", "invalid_key"), ("workspace", "")): 1}
    scope = (("rule", "workspace:ci/day/money"), ("scope", "workspace:ci"))
    assert [told[f"headgate_budget_{name}"][scope] for name in ("cap", "posted", "held", "suspect", "overrun")] == [10**12, 5, 4, 3, 2]


def test_a_histogram_counts_every_call_once_and_only_upwards() -> None:
    tally = Tally()
    for milliseconds in (0, 1, 2, 3, 99, 300_000, 300_001, 10**9):
        tally.took("exchange_milliseconds", "ci", milliseconds)
    told = page(tally)
    buckets = {dict(labels)["le"]: value for labels, value in told["headgate_exchange_milliseconds_bucket"].items()}
    assert (buckets["1"], buckets["2"], buckets["5"], buckets["100"], buckets["300000"], buckets["+Inf"]) == (2, 3, 4, 5, 6, 8)
    in_order = [buckets[name] for name in sorted(buckets, key=float)]
    assert in_order == sorted(in_order)
    assert told["headgate_exchange_milliseconds_count"] == {(("workspace", "ci"),): 8}
    assert told["headgate_exchange_milliseconds_sum"] == {(("workspace", "ci"),): 0 + 1 + 2 + 3 + 99 + 300_000 + 300_001 + 10**9}


def test_callers_cannot_make_the_page_longer() -> None:
    own = [line(f"{kind}:{number}@ci", f"{kind}:*/day/money") for kind in ("user", "session", "key") for number in range(3_500)]
    told = page(Tally(), [line("organisation:*"), line("path:openai"), line("commitment:annual"), line("workspace:ci"), *own])
    assert len(told["headgate_budget_cap"]) == 4


def test_a_name_that_needs_quoting_is_quoted() -> None:
    told = page(Tally(), [line('workspace:a"b\\c\nd')])
    assert [dict(labels)["scope"] for labels in told["headgate_budget_cap"]] == ['workspace:a"b\\c\nd']


def test_an_idle_gate_has_a_page_too() -> None:
    assert page(Tally())["headgate_up"] == {(): 1}
