from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.stories.gatehouse import CommandRefused, Gatehouse, Shifted, configuration, eventually, workspace
from tests.stories.provider import Rehearsal

from headgate import assembly
from headgate.config.problem import ConfigError
from headgate.control.command import IssueKey, Reload, SetCap, Status, Thaw
from headgate.store.folder import LEDGER_FILE, SOCKET_FILE
from headgate.store.lock import DataLock
from headgate.store.sqlite import StoreError


@pytest.fixture(scope="module")
def rehearsal(root: Path) -> Iterator[Rehearsal]:
    running = Rehearsal(root / "src")
    yield running
    assert running.stop() == 0


@pytest.fixture
def text(rehearsal: Rehearsal) -> str:
    rehearsal.ask("POST", "reset")
    return configuration(rehearsal.base_url, workspace())


@pytest.fixture
def house(text: str, tmp_path: Path) -> Iterator[Gatehouse]:
    house = Gatehouse(tmp_path, text)
    yield house
    house.stop()
    house.book.proves()


def rewritten(house: Gatehouse, old: str, new: str) -> None:
    assert old in house.text
    house.write(house.text.replace(old, new))


# -- the start --------------------------------------------------------------------------------------------------------------


def test_a_start_that_fails_leaves_nothing_behind(text: str, tmp_path: Path, house: Gatehouse) -> None:
    taken = text.replace('listen = "127.0.0.1:0"', f'listen = "127.0.0.1:{house.port}"', 1)
    with pytest.raises(OSError, match="in use"):
        Gatehouse(tmp_path / "second", taken)
    data = tmp_path / "second/data"
    lock = DataLock(data)
    lock.take()
    lock.release()
    assert not (data / SOCKET_FILE).exists()
    Gatehouse(tmp_path / "second", text).stop()


def test_rehearsed_and_real_calls_never_share_a_ledger(text: str, tmp_path: Path) -> None:
    Gatehouse(tmp_path, text).stop()
    real = text.replace("rehearsal = true", "rehearsal = false").replace("http://127.0.0.1", "https://127.0.0.1")
    with pytest.raises(StoreError, match=r"rehearsal one and the paths of headgate.toml are real"):
        Gatehouse(tmp_path, real)
    Gatehouse(tmp_path, text).stop()


def test_a_folder_too_deep_for_a_socket_is_told_before_anything_is_made(text: str, tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    with pytest.raises(StoreError, match="too long a name for a command socket"):
        Gatehouse(deep, text)
    assert not (deep / "data").exists()


def test_one_folder_has_one_gate(house: Gatehouse, text: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=f"in use by process {os.getpid()}; a running gate takes commands over its socket"):
        Gatehouse(tmp_path, text)
    assert house.command(Status(actor="test"))["not_ready"] == ""


@pytest.mark.parametrize("lines", ['tls_certificate = "bad.pem"\ntls_key = "bad.pem"', 'tls_certificate = "one.pem"\ntls_key = "two.key"'])
def test_a_certificate_that_cannot_be_used_is_a_mistake_of_the_configuration(text: str, tmp_path: Path, lines: str) -> None:
    (tmp_path / "bad.pem").write_text("-----BEGIN CERTIFICATE-----\nnonsense\n")
    for name in ("one", "two"):
        certificate(tmp_path, name)
    with pytest.raises(ConfigError, match=r"gate\.tls_certificate: expected a certificate chain in PEM, with the private key"):
        Gatehouse(tmp_path, text.replace("[gate]", f"[gate]\n{lines}"))


def test_an_authority_that_cannot_be_read_is_a_mistake_of_the_configuration(text: str, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nonsense")
    with pytest.raises(ConfigError, match=r"paths\.openai\.ca_file: expected certificates in PEM"):
        Gatehouse(tmp_path, text.replace("http://", "https://").replace("rehearsal = true", 'rehearsal = true\nca_file = "ca.pem"'))


def certificate(folder: Path, name: str) -> None:
    subject = ["-subj", "/CN=localhost", "-days", "2", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    files = ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")]
    subprocess.run(["openssl", "req", "-x509", *subject, *files], check=True, capture_output=True)


# -- commands ---------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_raised_cap_is_room_for_a_call_that_waits(house: Gatehouse, rehearsal: Rehearsal) -> None:
    house.write(configuration(rehearsal.base_url, workspace(month="1", wait_ms="25000")))
    house.run(house.running.reload("test"))
    caller = house.caller()
    rehearsal.set(first_token_ms=2_000)
    first = caller.stream(max_output_tokens=30_000)
    eventually(lambda: rehearsal.requests() == 1)
    waiting = caller.stream(max_output_tokens=30_000)
    eventually(lambda: len(house.running.gate.open_exchanges) == 2)
    house.command(SetCap(actor="alice", rule="workspace:one/month/money", scope="workspace:one", cap=5 * 10**9, reason="x", hours=1))
    eventually(lambda: rehearsal.requests() == 2)
    assert len(house.running.gate.open_exchanges) == 2, "the first call has not settled yet: the raise alone let the second in"
    assert {line.rest().status for line in (first, waiting)} == {200}
    house.at_rest()


def test_a_command_that_is_no_command_is_told_so(house: Gatehouse) -> None:
    for line in (b"", b"\xff", b"{}", b'{"do":"status"}', b"[" * 200_000, b'{"do":' * 50_000):
        assert json.loads(house.run(house.running.obey(line)))["error"].startswith("not a command")


def test_a_disk_that_is_full_is_told_to_the_operator_and_nothing_is_half_done(house: Gatehouse) -> None:
    with house.full_disk(), pytest.raises(CommandRefused, match="the disk is full; free some space"):
        for _ in range(200):
            house.command(IssueKey(actor="alice", workspace="one", label="x" * 200))
    before = len(house.book.run("keys"))
    house.command(IssueKey(actor="alice", workspace="one", label="x"))
    assert len(house.book.run("keys")) == before + 1


def test_the_status_holds_numbers_and_no_content(house: Gatehouse) -> None:
    house.caller().respond("a secret that nobody may read")
    house.at_rest()
    told = house.command(Status(actor="test"))
    assert told["rehearsal"] is True and "secret" not in json.dumps(told)
    assert ["exchanges_total", "workspace", "one", "model", "gpt-5.5", "ending", "completed"] in [labels for labels, _ in told["counts"]]


# -- readiness --------------------------------------------------------------------------------------------------------------


def test_a_gate_whose_clock_was_set_or_whose_disk_is_low_is_not_ready(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    time = Shifted()
    house = Gatehouse(tmp_path, text, time.clock())
    ready = house.caller()
    assert ready.ask("GET", "/readyz").body == b'{"status":"ready"}'
    time.wall_ahead_us = 61_000_000
    assert (ready.ask("GET", "/readyz").status, ready.ask("GET", "/readyz").json) == (503, {"status": "clock_unsure"})
    assert house.command(Status(actor="test"))["not_ready"] == "clock_unsure"
    time.wall_ahead_us = 0
    monkeypatch.setattr(assembly, "RESERVE_BYTES", 1 << 62)
    time.both_ahead_us = 2_000_000
    assert ready.ask("GET", "/readyz").json == {"status": "disk_low"}
    assert ready.respond().error["policy_code"] == "disk_low"
    assert ready.ask("GET", "/healthz").status == 200
    house.stop()


# -- reloads ----------------------------------------------------------------------------------------------------------------


def reload(house: Gatehouse) -> str:
    return str(house.command(Reload(actor="alice")))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('listen = "127.0.0.1:0"\ndata', 'listen = "127.0.0.1:1"\ndata', "gate.listen cannot change while the gate runs"),
        ('data = "data"', 'data = "elsewhere"', "gate.data cannot change while the gate runs"),
        ("[gate]", "[gate]\nmost_connections = 7", "gate.most_connections cannot change while the gate runs"),
        ('[house]\nlisten = "127.0.0.1:0"', '[house]\nlisten = "127.0.0.1:1"', "house.listen cannot change while the gate runs"),
        ("rehearsal = true", "rehearsal = false", "whether paths are rehearsals cannot change"),
        ("[gate]", "[gate]\nunknown = 1", "headgate.toml:2: gate.unknown"),
        ("[gate]", "[gate", "expected TOML"),
        ('caps.month = "500"', 'caps.month = "500.5.5"', "caps.month"),
    ],
)
def test_a_reload_that_cannot_be_changes_nothing_and_says_why(house: Gatehouse, old: str, new: str, told: str) -> None:
    before = house.running.settings
    rewritten(house, old, new)
    with pytest.raises(CommandRefused, match="nothing was changed") as refused:
        reload(house)
    assert told in str(refused.value)
    assert house.running.settings is before and house.caller().respond().status == 200
    assert house.book.leaves("reload") == []


def test_what_a_reload_changes_holds_from_the_next_call_on(house: Gatehouse) -> None:
    caller = house.caller()
    assert house.running.gate.drain_seconds == 5
    text = house.text.replace('models = ["*"]', 'models = ["gpt-5.4-mini"]')
    house.write(text.replace("drain_seconds = 5", "drain_seconds = 9\nbody_limit_mib = 1"))
    digest = reload(house)
    assert caller.respond().error["policy_code"] == "model_not_allowed"
    assert caller.ask("POST", "/v1/responses", b"x" * (1024 * 1024 + 1)).status == 413
    assert house.running.gate.drain_seconds == 9
    (leaf,) = house.book.leaves("reload")
    assert (leaf["config"], leaf["actor"]) == (digest, "alice")


def test_a_credential_that_was_renewed_is_used_after_a_reload(house: Gatehouse) -> None:
    caller = house.caller()
    good = house.environment["PROVIDER_KEY"]
    house.environment["PROVIDER_KEY"] = "sk-wrong"
    reload(house)
    assert caller.respond().error["policy_code"] == "path_credential"
    house.environment["PROVIDER_KEY"] = good
    reload(house)
    assert caller.respond().status == 200


def test_a_path_on_which_a_rehearsal_answered_stays_closed_until_an_operator_opens_it(text: str, tmp_path: Path) -> None:
    house = Gatehouse(tmp_path, text.replace("rehearsal = true", "rehearsal = false"))
    caller = house.caller()
    assert caller.respond().error["policy_code"] == "rehearsal_answer"
    assert caller.respond().error["policy_code"] == "no_path"
    reload(house)
    house.caller()
    assert caller.respond().error["policy_code"] == "no_path", "a command or a reload opens nothing"
    assert house.command(Thaw(actor="alice", what="path:openai", reason="the address was wrong")) == "path:openai"
    assert caller.respond().error["policy_code"] == "rehearsal_answer"
    house.stop()
    house.book.proves()


def test_what_is_kept_of_a_key_is_not_the_key(house: Gatehouse, tmp_path: Path) -> None:
    caller = house.caller()
    caller.respond()
    house.stop()
    assert caller.key is not None
    for file in (tmp_path / "data").iterdir():
        assert caller.key[4:].encode() not in file.read_bytes(), file.name
    assert (tmp_path / "data" / LEDGER_FILE).exists() and not (tmp_path / "data" / SOCKET_FILE).exists()
