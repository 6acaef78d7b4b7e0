from __future__ import annotations

import apsw
import pytest
from tests.cli.terminal import HOLD, Terminal

from headgate.names import show_id

ID = show_id(HOLD)


def test_a_whole_book_is_proved_with_exit_code_0(terminal: Terminal) -> None:
    terminal.calls("posted", "doubted", "breached", "held")
    assert terminal.done("ledger", "verify").out.startswith("0 finding(s) in 4 holds and ")
    report = terminal.done("ledger", "verify", "--json").json
    assert report["findings"] == [] and report["holds"] == 4


def test_a_changed_figure_is_found_with_exit_code_6(terminal: Terminal) -> None:
    terminal.calls("posted")
    forger = apsw.Connection(str(terminal.book))
    forger.execute("UPDATE budget SET posted = posted - 1")
    forger.close()
    said = terminal.run("ledger", "verify")
    assert said.code == 6 and "6 finding(s)" in said.out and "Rule." not in said.out and said.err == ""
    assert len(terminal.run("ledger", "verify", "--json").json["findings"]) == 6


@pytest.mark.parametrize(
    ("how", "told"),
    [
        (("--actual", "0.25", "--tokens", "70"), "posted $0.25"),
        (("--void",), "voided $0.00"),
        (("--full",), "posted $1.00"),
    ],
)
def test_a_doubt_is_resolved_offline_and_the_book_stays_whole(terminal: Terminal, how: tuple[str, ...], told: str) -> None:
    terminal.calls("doubted")
    assert terminal.done("ledger", "resolve", ID, *how, "--reason", "usage page").out == f"{ID}: {told}\n"
    assert "in doubt" not in terminal.done("budget", "show").out.partition("\n")[2]
    assert "0 finding(s)" in terminal.done("ledger", "verify").out


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ((ID, "--reason", "x"), 2, "exactly one of --actual DOLLARS --tokens N, --void, --full"),
        ((ID, "--void", "--full", "--reason", "x"), 2, "exactly one of"),
        ((ID, "--actual", "1", "--reason", "x"), 2, "--tokens N"),
        ((ID, "--void", "--tokens", "4", "--reason", "x"), 2, "--tokens N"),
        ((ID, "--actual", "much", "--tokens", "1", "--reason", "x"), 2, "is not an amount in dollars"),
        ((ID, "--actual", "1", "--tokens", "-1", "--reason", "x"), 1, "not negative"),
        ((ID, "--void"), 2, "--reason"),
        ((ID, "--void", "--reason", ""), 1, "say what proves it"),
        (("req_nonsense", "--void", "--reason", "x"), 1, "it looks like req_ and thirteen letters"),
        (("../../etc/passwd", "--void", "--reason", "x"), 1, "there is no hold"),
    ],
)
def test_a_mistake_is_told_with_what_to_do(terminal: Terminal, arguments: tuple[str, ...], code: int, told: str) -> None:
    terminal.calls("doubted")
    assert told in terminal.told(code, "ledger", "resolve", *arguments)
    assert [doubt["hold"] for doubt in terminal.done("budget", "show", "--json").json["doubts"]] == [ID]


def test_what_was_closed_is_opened_again_for_a_reason(terminal: Terminal) -> None:
    terminal.calls("breached")
    assert "frozen now: shape:openai/gpt-5.5/text" in terminal.told(1, "ledger", "thaw", "workspace:ci", "--reason", "x")
    terminal.told(2, "ledger", "thaw", "shape:openai/gpt-5.5/text")
    out = terminal.done("ledger", "thaw", "shape:openai/gpt-5.5/text", "--reason", "the price changed").out
    assert out == "shape:openai/gpt-5.5/text is open again\n"
    assert terminal.done("budget", "show", "--json").json["frozen"] == []
