from __future__ import annotations

import os
import stat

import pytest
from tests.cli.terminal import CREDENTIAL, TOML, Terminal


def test_the_first_file_says_what_to_do_next_and_is_never_overwritten(bare: Terminal) -> None:
    out = bare.done("init").out
    assert "wrote headgate.toml" in out and "headgate check" in out and "headgate serve" in out
    text = (bare.folder / "headgate.toml").read_text()
    assert "is left as it is" in bare.told(1, "init")
    assert (bare.folder / "headgate.toml").read_text() == text
    assert "is sound: 3 workspaces, 1 path(s), 9 rules" in bare.done("check").out


def test_a_first_file_goes_where_it_is_named(bare: Terminal) -> None:
    bare.done("init", "--config", "deep/er/gate.toml")
    bare.done("check", "--config", "deep/er/gate.toml")
    (bare.folder / "file").write_text("")
    assert "cannot be written" in bare.told(1, "init", "--config", "file/gate.toml")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[gate]", "[gate", "headgate.toml:4: expected TOML"),
        ("[gate]", "[gaet]", "headgate.toml:4: "),
        ("[gate]", "[gate]\nport = 8080", "headgate.toml:5: gate.port: "),
        ("[gate]", "[gate]\ndrain_seconds = true", "headgate.toml:5: gate.drain_seconds: "),
        ("[gate]", "[gate]\ndrain_seconds = 99999999999999999999", "headgate.toml:5: gate.drain_seconds: "),
        ('"500"', '"5e2"', "caps.month"),
        ('"500"', "500.0", "caps.month"),
        ('"500"', '"-1"', "caps.month"),
        ('"500"', '"4000000001"', "caps.month"),
        ('"500"', '"NaN"', "caps.month"),
        ("env:OPENAI_API_KEY", "env:NO_SUCH_VARIABLE", "no variable NO_SUCH_VARIABLE in the environment"),
        ("env:OPENAI_API_KEY", "file:/nowhere/key", "paths.openai.credential"),
        ("env:OPENAI_API_KEY", "sk-written-in-the-file", "paths.openai.credential"),
        ('"127.0.0.1:8081"', '"0.0.0.0:8081"', "house.listen: expected an address of this machine alone (loopback)"),
        ('"127.0.0.1:8081"', '"127.0.0.1:8080"', "house.listen"),
        ('"127.0.0.1:8081"', '"127.0.0.1:99999"', "house.listen"),
    ],
)
def test_a_mistake_is_told_with_its_line_what_was_expected_and_an_example(terminal: Terminal, old: str, new: str, told: str) -> None:
    assert old in TOML
    terminal.write(TOML.replace(old, new, 1))
    said = terminal.told(3, "check")
    assert told in said and "For example: " in said and "sk-written" not in said
    # Every command that reads the file says the same, and touches nothing.
    assert terminal.told(3, "key", "list") == said == terminal.told(3, "serve")
    assert not (terminal.folder / "data").exists()


def test_certificates_are_read_before_they_are_needed(terminal: Terminal) -> None:
    (terminal.folder / "gate.pem").write_text("nonsense")
    terminal.write(TOML.replace("[gate]", '[gate]\ntls_certificate = "gate.pem"\ntls_key = "gate.pem"', 1))
    assert "gate.tls_certificate: expected a certificate chain in PEM" in terminal.told(3, "check")
    terminal.write(TOML.replace("[gate]", '[gate]\ntls_certificate = "none.pem"\ntls_key = "none.pem"', 1))
    assert "headgate.toml:5: gate.tls_certificate" in terminal.told(3, "check")


def test_what_is_allowed_and_unwise_is_told(terminal: Terminal) -> None:
    secret = terminal.folder / "key"
    secret.write_text(CREDENTIAL)
    os.chmod(secret, 0o644)
    text = TOML.replace("env:OPENAI_API_KEY", "file:key").replace('listen = "127.0.0.1:8080"', 'listen = "0.0.0.0:8080"')
    terminal.write(text.replace('caps.month = "500"', 'caps.month = "500"\nday_brake = "off"', 1))
    out = terminal.done("check").out
    cautions = [line for line in out.splitlines() if line.startswith("caution: headgate.toml:")]
    assert len(cautions) == 3 and all(word in out for word in ("in clear", "brakes", "read"))
    assert len(terminal.done("check", "--json").json["cautions"]) == 3
    os.chmod(secret, stat.S_IRUSR)
    assert out.count("caution") == terminal.done("check").out.count("caution") + 1


def test_keys_that_end_soon_or_lost_their_workspace_are_told(terminal: Terminal) -> None:
    soon, later = terminal.key("--days", "5"), terminal.key()
    out = terminal.done("check").out
    assert f"caution: key {soon['id']} (payments, ci) ends " in out and f"headgate key rotate {soon['id']}" in out
    assert later["id"] not in out
    terminal.done("key", "rotate", soon["id"])
    assert soon["id"] not in terminal.done("check").out
    terminal.write(TOML.replace("[workspaces.ci]", "[workspaces.ci-new]"))
    assert f"key {later['id']} (payments) is of workspace ci, which is not in this file" in terminal.done("check").out


def test_a_book_that_cannot_be_read_is_told_by_check(terminal: Terminal) -> None:
    terminal.key()
    terminal.book.write_bytes(b"x" * 4096)
    for file in terminal.book.parent.glob("*-*"):
        file.unlink()
    assert "damaged, or not a Headgate ledger" in terminal.told(4, "check")
