from __future__ import annotations

import pytest
from tests.cli.terminal import HOLD, TOML, Terminal

from headgate.names import show_id

DAY = "workspace:ci/day/money"
MORE = (
    TOML
    + """
[[budget]]
scope = "user:*"
period = "day"
cap = "5"

[[budget]]
scope = "session:*"
period = "day"
token_cap = 9
"""
)


def test_every_rule_is_shown_before_anybody_has_drawn_on_it(terminal: Terminal) -> None:
    terminal.key()
    out = terminal.done("budget", "show").out
    assert out.count("workspace:ci/") == 3 and "$150.00" in out and "Overrun, in every total: none." in out
    assert [f"A{number}" in out for number in range(1, 6)] == [True] * 5


def test_what_is_spent_held_doubted_and_frozen_is_shown_with_the_way_out(terminal: Terminal) -> None:
    terminal.calls("doubted", "posted", "breached", "held")
    out = terminal.done("budget", "show").out
    (day,) = [line for line in out.splitlines() if line.startswith(DAY)]
    assert day.split()[:7] == [DAY, "workspace:ci", "$150.00", "$2.50", "$2.00", "$1.00", "$145.50"]
    assert f"in doubt  {show_id(HOLD)}" in out and f"headgate ledger resolve {show_id(HOLD)}" in out
    assert "frozen    shape:openai/gpt-5.5/text" in out and "headgate ledger thaw shape:openai/gpt-5.5/text" in out


def test_programs_get_whole_numbers_and_everything(terminal: Terminal) -> None:
    terminal.calls("doubted", "posted", "breached", "held")
    told = terminal.done("budget", "show", "--json").json
    (day,) = [line for line in told["budgets"] if line["rule"] == DAY]
    assert (day["cap"], day["posted"], day["held"], day["suspect"]) == (150 * 10**9, 2_500_000_000, 2_000_000_000, 1_000_000_000)
    assert [doubt["hold"] for doubt in told["doubts"]] == [show_id(HOLD)]
    assert [frozen["what"] for frozen in told["frozen"]] == ["shape:openai/gpt-5.5/text"]
    assert told["overrides"] == [] and len(told["assumptions"]) == 5


def test_a_cap_for_a_time_shows_who_why_and_until_when_wherever_one_looks(terminal: Terminal) -> None:
    out = terminal.done("budget", "set", DAY, "300", "--hours", "8", "--reason", "release day").out
    assert out.startswith(f"workspace:ci ({DAY}) is $300.00 until ")
    shown = terminal.done("budget", "show").out
    assert "override  workspace:ci" in shown and "release day (alice)" in shown and "$300.00" in shown
    assert "release day" in terminal.done("check").out
    (override,) = terminal.done("check", "--json").json["overrides"]
    assert (override["cap"], override["actor"], override["reason"]) == (300 * 10**9, "alice", "release day")


def test_a_lowered_cap_is_shown_on_its_way_down(terminal: Terminal) -> None:
    terminal.calls("held", nano=100 * 10**9)
    terminal.done("budget", "set", DAY, "10", "--reason", "runaway")
    (day,) = [line for line in terminal.done("budget", "show").out.splitlines() if line.startswith(DAY)]
    assert "$100.00 → $10.00" in day


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ((DAY, "300"), 2, "--reason"),
        ((DAY, "three", "--reason", "x"), 2, "is not an amount in dollars"),
        ((DAY, "-1", "--reason", "x"), 2, "-1"),
        ((DAY, "1e9", "--reason", "x"), 2, "is not an amount in dollars"),
        ((DAY, "99999999999", "--reason", "x"), 2, "dollars"),
        (("workspace:nope/day/money", "1", "--reason", "x"), 1, "the rules are:"),
        ((DAY, "1", "--reason", "x", "--scope", "workspace:production"), 1, "no call counts toward"),
        ((DAY, "1", "--reason", "x", "--hours", "0"), 1, "1 to 2232 hours"),
        ((DAY, "1", "--reason", "x", "--hours", "1000000000000"), 1, "1 to 2232 hours"),
        (("user:*/day/money", "1", "--reason", "x"), 2, "name one with --scope"),
        (("session:*/day/tokens", "1.5", "--scope", "session:a", "--reason", "x"), 2, "is not a number of tokens"),
        (("session:*/day/tokens", "9" * 30, "--scope", "session:a", "--reason", "x"), 1, "a cap is between"),
    ],
)
def test_a_mistake_is_told_with_what_to_do(terminal: Terminal, arguments: tuple[str, ...], code: int, told: str) -> None:
    terminal.write(MORE)
    terminal.key()
    assert told in terminal.told(code, "budget", "set", *arguments)
    assert terminal.done("check", "--json").json["overrides"] == []


def test_tokens_are_counted_and_one_user_may_have_more(terminal: Terminal) -> None:
    terminal.write(MORE)
    assert (
        "user:alice (user:*/day/money) is $50.00"
        in terminal.done("budget", "set", "user:*/day/money", "50", "--scope", "user:alice", "--reason", "x").out
    )
    assert (
        "2,000,000" in terminal.done("budget", "set", "session:*/day/tokens", "2_000_000", "--scope", "session:a@ci", "--reason", "x").out
    )
