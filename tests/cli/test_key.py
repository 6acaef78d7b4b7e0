from __future__ import annotations

import pytest
from tests.cli.terminal import Terminal

from headgate.policy.keys import is_key


def test_a_key_stands_alone_on_standard_output_and_is_never_shown_again(terminal: Terminal) -> None:
    said = terminal.done("key", "issue", "--workspace", "ci", "--label", "payments")
    key = said.out.strip()
    assert is_key(key) and said.out == key + "\n"
    assert "It is not shown again" in said.err and "of workspace ci" in said.err and key not in said.err
    for listing in (terminal.done("key", "list").out, terminal.done("key", "list", "--json").out):
        assert key[:8] in listing and key[9:] not in listing
    assert all(key[4:].encode() not in file.read_bytes() for file in (terminal.folder / "data").iterdir())


def test_the_list_says_whose_key_it_is_and_until_when(terminal: Terminal) -> None:
    issued = terminal.key("--fact", "team=payments", "--network", "10.0.0.0/8", "--days", "3")
    (line,) = terminal.done("key", "list", "--json").json
    assert (line["id"], line["label"], line["issued_by"]) == (issued["id"], "payments", "alice")
    assert (line["body"]["facts"], line["body"]["networks"]) == ({"team": "payments"}, ["10.0.0.0/8"])
    out = terminal.done("key", "list").out
    assert "ends soon" in out and issued["id"] in out


def test_an_empty_list_says_how_to_begin(terminal: Terminal) -> None:
    assert "no ledger here yet" in terminal.told(4, "key", "list")
    terminal.told(1, "key", "issue", "--workspace", "nope", "--label", "x")
    assert "No keys yet: headgate key issue" in terminal.done("key", "list").out


def test_rotating_shows_the_successor_and_when_the_old_one_ends(terminal: Terminal) -> None:
    old = terminal.key()
    said = terminal.done("key", "rotate", old["id"], "--overlap-hours", "2")
    assert is_key(said.out.strip()) and said.out.strip() != old["key"]
    assert f"{old['id']} goes on until " in said.err
    assert "was rotated to" in terminal.told(1, "key", "rotate", old["id"])


def test_revoking_needs_a_reason_and_says_what_it_means(terminal: Terminal) -> None:
    issued = terminal.key()
    assert "--reason" in terminal.told(2, "key", "revoke", issued["id"])
    assert "say why" in terminal.told(1, "key", "revoke", issued["id"], "--reason", "")
    out = terminal.done("key", "revoke", issued["id"], "--reason", "leaked").out
    assert "is revoked" in out and "payments, ci" in out
    assert "revoked" in terminal.done("key", "list").out


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("issue", "--label", "x"), 2, "--workspace"),
        (("issue", "--workspace", "ci"), 2, "--label"),
        (("issue", "--workspace", "ci", "--label", "x", "--fact", "payments"), 2, "write NAME=VALUE"),
        (("issue", "--workspace", "ci", "--label", "x", "--days", "ninety"), 2, "--days"),
        (("issue", "--workspace", "ci", "--label", "x", "--days", "91"), 1, "1 to 90 days"),
        (("issue", "--workspace", "ci", "--label", "x", "--fact", "team=a", "--fact", "team=b"), 2, "team stands twice"),
        (("issue", "--workspace", "ci", "--label", "x", "--model", "gpt-99"), 1, "has no price"),
        (("rotate", "key_0"), 1, "`headgate key list` shows their ids"),
        (("revoke", "key_0", "--reason", "x"), 1, "`headgate key list` shows their ids"),
    ],
)
def test_a_mistake_is_told_with_what_to_do(terminal: Terminal, arguments: tuple[str, ...], code: int, told: str) -> None:
    terminal.key()
    assert told in terminal.told(code, "key", *arguments)
