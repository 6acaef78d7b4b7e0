from __future__ import annotations

import pytest

from headgate.cli.tables import show_instant, show_json, show_table


def test_a_pipe_gets_every_word_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    wide = ["x" * 60] * 5
    show_table(("a", "b", "c", "d", "e"), [wide], "nothing")
    assert capsys.readouterr().out.splitlines()[1].split() == wide


def test_what_people_wrote_is_shown_as_they_wrote_it(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("label",), [("[bold]team[/bold] [link=file:///etc/passwd]x[/link]",), ("team :smile: [red]",)], "nothing")
    out = capsys.readouterr().out
    assert "[bold]team[/bold] [link=file:///etc/passwd]x[/link]" in out and ":smile: [red]" in out and "\x1b" not in out


def test_nothing_is_said_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("a",), [], "No keys yet")
    assert capsys.readouterr().out == "No keys yet\n"


def test_an_instant_is_told_in_utc() -> None:
    assert show_instant(0) == "1970-01-01 00:00"
    assert show_instant(1_790_000_000_000_000) == "2026-09-21 14:13"


def test_programs_get_whole_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"cap": 4 * 10**18})
    assert capsys.readouterr().out == '{"cap":4000000000000000000}\n'
