"""The demo's picture at any size: every line fits, the bars tell the money, and nothing that a caller wrote can draw."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from headgate.cli.screen import LEAST_HEIGHT, Purse, Said, Screen, finale
from headgate.trials.company import Company, Line

PURSES = [
    Purse("production", 25_000_000_000, 5_000_000_000, 10_000_000_000, False),
    Purse("development", 15_000_000_000, 0, 0, False),
    Purse("ci", 500_000_000, 499_999_999, 0, True),
]


class Quiet(Company):
    """A company whose lines this test writes itself."""

    def __init__(self) -> None:
        super().__init__(1, {}, lambda _event: None)


def drawn(width: int, height: int, terminal: bool = True) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, force_terminal=terminal, color_system=None, legacy_windows=False)
    screen = Screen(console, ["headgate budget show"])
    company = Quiet()
    company.lines[1] = Line("ana", "development", "gpt-5.5", "agent, turn 2", 0, "[bold]an answer[/bold] that goes on and on " * 20)
    company.finished.append(Line("nightly", "ci", "gpt-4.1", "nightly job", 0, "done"))
    screen.begin(["a header"])
    screen.say(Said("12:00:00", "refused", "nightly (ci)", "Budget used up: [red]no[/red] " + "words " * 60))
    screen.show(PURSES, company, 12, 3)
    screen.end()
    return out.getvalue().splitlines()


@pytest.mark.parametrize(("width", "height"), [(40, 10), (80, 24), (120, 36), (250, 80)])
def test_no_line_is_wider_than_the_terminal(width: int, height: int) -> None:
    picture = "\n".join(drawn(width, height)).rpartition("\x1b[1A")[2]  # what was drawn last
    lines = [re.sub(r"\x1b\[[?0-9]*[A-Za-z]", "", line) for line in picture.splitlines()]
    assert [line for line in lines if len(line) > width] == []
    assert len(lines) <= max(height, LEAST_HEIGHT)


def test_the_picture_shows_money_streams_and_refusals() -> None:
    text = "\n".join(drawn(120, 36))
    assert "$5.0000 spent" in text and "STOPPED AT ITS CAP" in text and "█" in text and "▒" in text
    assert "agent, turn 2" in text and "nightly job" in text and "Budget used up" in text and "headgate budget show" in text


def test_what_a_caller_wrote_is_shown_and_not_obeyed() -> None:
    assert "[red]no[/red]" in "\n".join(drawn(120, 36))


def test_without_a_terminal_each_thing_is_one_line() -> None:
    lines = drawn(80, 24, terminal=False)
    assert lines[0] == "a header" and lines[1].startswith("12:00:00  nightly (ci): Budget used up")
    assert any(line.strip().startswith("ci ") and "stopped at its cap" in line for line in lines)


def test_the_last_word_compares_the_two_accounts() -> None:
    console = Console(width=120, file=io.StringIO(), color_system=None)
    with console.capture() as capture:
        console.print(finale(7, 0, 7, PURSES, 0, 3))
    assert "to the nano-dollar" in capture.get() and "nothing is wrong" in capture.get()
    with console.capture() as capture:
        console.print(finale(7, 5, 9, PURSES, 2, 3))
    assert "$0.000000005 is in doubt" in capture.get() and "2 findings" in capture.get()
