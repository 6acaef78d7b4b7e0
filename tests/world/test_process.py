"""The processes of `headgate serve`: how they start, are told things, end, and what they leave behind."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.world.served import LONG, SLOW, Served, Stage, configuration, runs, staged, wait_ms
from tests.world.worldhouse import CREDENTIAL, PATIENCE_S, Rehearsal, until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def one_rehearsal(root: Path) -> Iterator[Rehearsal]:
    rehearsal = Rehearsal(root / "src")
    yield rehearsal
    assert rehearsal.stop() == 0


@pytest.fixture
def stage(root: Path, tmp_path: Path, one_rehearsal: Rehearsal) -> Iterator[Stage]:
    one_rehearsal.ask("POST", "reset")
    yield from staged(root / "src", tmp_path, one_rehearsal)


def whole(served: Served) -> None:
    """The book proves itself."""
    assert json.loads(served.done("ledger", "verify", "--json"))["findings"] == []


def doubts(served: Served) -> list[str]:
    return [doubt["hold"] for doubt in json.loads(served.done("budget", "show", "--json"))["doubts"]]


def pid_of(served: Served) -> int:
    assert served.process is not None
    return served.process.pid


# -- ending -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_drain_finishes_what_is_open_lets_nobody_else_in_and_leaves_nothing_running(stage: Stage, number: signal.Signals) -> None:
    served = stage.gate().start()
    key = served.key()["key"]
    stage.rehearsal.set(**SLOW)
    stream = served.stream(key).begun()
    idle = served.connect()
    idle.request("GET", "/readyz")
    assert idle.getresponse().read() == b'{"status":"ready"}'
    assert len(served.meet()) == 2
    os.kill(pid_of(served), number)
    served.event("draining")
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", served.port), PATIENCE_S)
    assert stream.last()["type"] == "response.completed" and stream.whole
    assert served.ended() == 0
    assert served.lines()[-1]["event"] == "stopped"
    assert not (served.folder / "data/gate.sock").exists()
    whole(served)
    assert doubts(served) == []


def test_what_is_still_open_after_the_drain_is_cut_told_and_in_doubt(stage: Stage) -> None:
    served = stage.gate(configuration(stage.rehearsal.base_url, gate="drain_seconds = 1")).start()
    key = served.key()["key"]
    stage.rehearsal.set(**LONG)
    stream = served.stream(key).begun()
    assert served.stop() == 0
    last = stream.last()
    assert last["type"] == "error" and last["error"]["policy_code"] == "upstream_cut"
    assert doubts(served) == [stream.request]
    whole(served)


def test_a_second_signal_ends_it_at_once_and_loses_nothing(stage: Stage) -> None:
    served = stage.gate().start()
    key = served.key()["key"]
    stage.rehearsal.set(**LONG)
    stream = served.stream(key).begun()
    served.meet()
    os.kill(pid_of(served), signal.SIGINT)
    served.event("draining")
    os.kill(pid_of(served), signal.SIGINT)
    assert served.ended() == 128 + signal.SIGKILL
    stream.rest()
    assert not stream.whole
    stage.rehearsal.set(delta_events=0, event_ms=0)
    served.start()
    assert served.event("listening")["doubted"] == 1
    assert doubts(served) == [stream.request]
    assert served.respond(key).status == 200
    assert served.stop() == 0
    whole(served)


@pytest.mark.parametrize("after_ms", [0, 150, 400, 700, 1000, 1300])
def test_a_signal_during_the_start_is_obeyed_and_leaves_nothing_running(stage: Stage, after_ms: int) -> None:
    served = stage.gate()
    process = served.launch()
    wait_ms(after_ms)
    served.meet()
    process.terminate()
    code = process.wait(PATIENCE_S)
    # Before the first line of ours ran, Python ends as every process does.
    assert code in (0, -signal.SIGTERM)
    until(lambda: not any(runs(pid) for pid in served.family), "nothing is left running")
    # A child that was only just starting sees its lifeline closed as soon as it looks.
    until(lambda: not lingering(served.folder), "nothing is left running in its folder")
    assert served.start().ask("GET", "/readyz").status == 200
    assert served.stop() == 0
    whole(served)


def lingering(folder: Path) -> list[int]:
    """The processes whose working folder this is."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.readlink(entry / "cwd") == str(folder) and runs(int(entry.name)):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def test_when_the_supervisor_is_killed_both_children_end(stage: Stage) -> None:
    served = stage.gate().start()
    key = served.key()["key"]
    stage.rehearsal.set(**SLOW)
    stream = served.stream(key).begun()
    os.kill(pid_of(served), signal.SIGKILL)
    assert stream.last()["type"] == "response.completed", "the gate drains, as if it had been told"
    assert served.ended() == -signal.SIGKILL
    whole(served)
    assert doubts(served) == []


def test_when_the_house_dies_no_call_notices_and_it_comes_back(stage: Stage) -> None:
    served = stage.gate().start()
    key = served.key()["key"]
    stage.rehearsal.set(**SLOW)
    stream = served.stream(key).begun()
    gate, house = served.child("gate"), served.child("house")
    os.kill(house, signal.SIGKILL)
    assert served.event("house_ended")["code"] == -signal.SIGKILL
    assert stream.last()["type"] == "response.completed"
    served.house_port = int(served.event("house_listening", 2)["port"])
    until(lambda: served.house("/readyz").status == 200, "the house is back")
    assert served.child("gate") == gate and served.child("house") != house
    assert served.stop() == 0


def test_when_the_gate_is_killed_the_supervisor_says_so_and_the_next_start_recovers(stage: Stage) -> None:
    served = stage.gate().start()
    key = served.key()["key"]
    assert served.respond(key).status == 200
    stage.rehearsal.set(**SLOW)
    stream = served.stream(key).begun()
    os.kill(served.child("gate"), signal.SIGKILL)
    assert served.ended() == 128 + signal.SIGKILL
    stream.rest()
    served.start()
    assert served.event("listening")["doubted"] == 1
    assert doubts(served) == [stream.request]
    whole(served)
    assert served.stop() == 0


def test_a_log_that_nobody_reads_stops_nobody(stage: Stage) -> None:
    """Ten times what a pipe holds, and the gate still answers and ends."""
    served = stage.gate(None, "serve", "--no-house")
    read_end, write_end = os.pipe()
    served.launch(write_end)
    os.close(write_end)
    until(lambda: (served.folder / "data/gate.sock").exists(), "the gate serves")
    said = b""
    while b'"listening"' not in said:
        said += os.read(read_end, 65_536)
    served.port = json.loads(said.splitlines()[-1])["port"]
    key = served.key()["key"]
    connection = served.connect()
    for number in range(2_500):
        connection.request("GET", f"/v1/models/none-{number}", headers={"authorization": f"Bearer {key}"})
        assert connection.getresponse().read() and True
    connection.close()
    assert served.respond(key).status == 200
    assert served.stop() == 0
    os.close(read_end)


# -- telling ----------------------------------------------------------------------------------------------------------------


def test_a_hangup_signal_reloads_and_a_broken_file_changes_nothing(stage: Stage) -> None:
    served = stage.gate().start()
    key = served.key()["key"]
    served.write(served.text.replace('models = ["*"]', 'models = ["gpt-5.4-mini"]'))
    os.kill(pid_of(served), signal.SIGHUP)
    assert served.event("reloaded")["actor"] == "SIGHUP"
    assert served.respond(key).code == "model_not_allowed"
    served.write("[gate")
    os.kill(pid_of(served), signal.SIGHUP)
    assert "headgate.toml:1" in served.event("reload_refused")["why"]
    told = served.headgate("reload")
    assert told.returncode == 3 and "headgate.toml:1" in told.stderr
    assert served.respond(key).code == "model_not_allowed"
    served.write(served.text)
    assert served.done("reload").startswith("reloaded, configuration ")
    assert served.respond(key).status == 200
    assert len(served.meet()) == 2, "the house does not die of the signal"
    assert served.stop() == 0


def test_commands_find_the_running_gate_and_work_offline_without_it(stage: Stage) -> None:
    served = stage.gate()
    offline = served.key()
    assert "no gate runs" in served.headgate("status").stderr
    served.start()
    online = served.key()
    assert {served.respond(key["key"]).status for key in (offline, online)} == {200}
    status = json.loads(served.done("status", "--json"))
    assert (status["rehearsal"], status["draining"], status["not_ready"]) == (True, False, "")
    assert "workspace:development/month/money" in served.done("budget", "show")
    served.done("key", "revoke", offline["id"], "--reason", "x")
    assert served.respond(offline["key"]).code == "invalid_key"
    assert served.stop() == 0
    served.done("key", "revoke", online["id"], "--reason", "x")
    served.start()
    assert served.respond(online["key"]).code == "invalid_key"
    assert served.stop() == 0


def test_a_socket_that_was_left_behind_is_no_gate(stage: Stage) -> None:
    served = stage.gate().start()
    gate, supervisor = served.child("gate"), pid_of(served)
    os.kill(gate, signal.SIGKILL)
    os.kill(supervisor, signal.SIGKILL)
    served.ended()
    assert (served.folder / "data/gate.sock").exists()
    key = served.key()["key"]
    assert served.start().respond(key).status == 200
    assert served.stop() == 0


def test_an_open_stream_of_a_revoked_key_ends_with_the_command(stage: Stage) -> None:
    served = stage.gate().start()
    issued = served.key()
    stage.rehearsal.set(**LONG)
    stream = served.stream(issued["key"]).begun()
    served.done("key", "revoke", issued["id"], "--reason", "pasted into a ticket")
    last = stream.last()
    assert stream.whole and last["error"]["policy_code"] == "invalid_key" and "revoked" in last["message"]
    assert len(stage.rehearsal.calls()) == 1
    assert served.stop() == 0
    assert doubts(served) == []
    whole(served)


# -- starting what cannot start ---------------------------------------------------------------------------------------------


def test_one_folder_has_one_gate_and_the_second_says_who_has_it(stage: Stage) -> None:
    first = stage.gate().start()
    code, said = stage.gate(first.text).fails()
    assert code == 4 and f"in use by process {first.child('gate')}" in said and "over its socket" in said
    assert "Traceback" not in said and first.ask("GET", "/readyz").status == 200
    assert first.stop() == 0


def test_a_port_in_use_is_told_with_the_setting_to_change(stage: Stage) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        plain = configuration(stage.rehearsal.base_url)
        for text, setting in (
            (plain.replace('[gate]\nlisten = "127.0.0.1:0"', f'[gate]\nlisten = "{address}"'), "gate.listen"),
            (plain.replace('[house]\nlisten = "127.0.0.1:0"', f'[house]\nlisten = "{address}"'), "house.listen"),
        ):
            served = stage.gate(text, folder=setting)
            code, said = served.fails()
            assert code == 5, said
            assert f"cannot listen on {address}: another program, perhaps another gate, listens there. Change `{setting}`" in said
            assert served.ended() == 5 and "Traceback" not in said


def test_an_address_that_is_not_ours_is_told(stage: Stage) -> None:
    text = configuration(stage.rehearsal.base_url).replace('[gate]\nlisten = "127.0.0.1:0"', '[gate]\nlisten = "192.0.2.1:8080"')
    code, said = stage.gate(text).fails()
    assert code == 5 and "cannot listen on 192.0.2.1:8080: this machine has no such address" in said and "Traceback" not in said


def test_a_folder_too_deep_for_a_socket_says_what_to_do_and_commands_still_work(stage: Stage) -> None:
    deep = str(stage.folder / ("deep" * 40))
    served = stage.gate(configuration(stage.rehearsal.base_url, data=deep))
    code, said = served.fails()
    assert code == 4 and "too long a name for a command socket" in said and "shorter folder" in said
    assert served.key()["id"].startswith("key_")
    assert "no gate runs" in served.headgate("status").stderr


# -- what machines are told -------------------------------------------------------------------------------------------------


def samples(served: Served) -> dict[str, float]:
    text = served.house("/metrics").body.decode()
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if family.type in ("counter", "histogram")
    }


def test_counters_only_grow_and_callers_cannot_make_them_more(stage: Stage) -> None:
    budget = '[[budget]]\nscope = "session:*"\nperiod = "day"\ncap = "50"'
    served = stage.gate(configuration(stage.rehearsal.base_url, workspace=budget)).start()
    key = served.key("--fact", "user=alice")["key"]

    def everybody(first: int, last: int) -> None:
        for number in range(first, last):
            served.respond(key, x_headgate_session=f"session-{number}", x_headgate_customer=f"c{number}", user_agent=f"agent-{number}")
            body = json.dumps({"model": f"model-{number}", "input": "x"}).encode()
            served.ask("POST", "/v1/responses", body, authorization=f"Bearer {key}", x_headgate_session=f"other-{number}")
            served.ask("GET", f"/v1/models/model-{number}", authorization=f"Bearer {key}")
            served.ask("GET", f"/v1/path-{number}", authorization=f"Bearer {key}")
            served.respond(f"hgk_wrong-{number}")

    everybody(0, 2)
    before = samples(served)
    everybody(2, 60)
    after = samples(served)
    assert all(after[name] >= value for name, value in before.items())
    fresh = {name for name in set(after) - set(before) if "_bucket" not in name}
    assert fresh == set()
    page = served.house("/metrics").body.decode()
    assert not any(word in page for word in ("session-", "other-", "alice", "agent-", "model-", "path-", "wrong"))
    assert 'headgate_exchanges_total{ending="completed",model="gpt-5.5",workspace="development"} 60.0' in page
    assert served.stop() == 0


def test_each_listener_says_how_it_is(stage: Stage) -> None:
    served = stage.gate().start()
    assert served.ask("GET", "/healthz").json == {"status": "alive"} and served.ask("GET", "/readyz").json == {"status": "ready"}
    assert served.house("/healthz").json == {"status": "alive"} and served.house("/readyz").json == {"status": "ready"}
    os.kill(served.child("gate"), signal.SIGSTOP)
    assert served.house("/healthz").status == 200
    os.kill(served.child("gate"), signal.SIGCONT)
    for page in ("/admin/v1/status", "/admin/v1/budgets", "/admin/v1/keys", "/admin/v1/doubts"):
        assert served.house(page).status == 200
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            assert served.house(page, method).status == 405
    assert served.stop() == 0


def test_no_log_line_holds_a_key_a_credential_content_or_an_escape(stage: Stage) -> None:
    served = stage.gate().start()
    issued = served.key("--fact", "user=canary-user")
    key = issued["key"]
    canary, escape = "canary-9f2c", "\x1b[31m"
    served.respond(key, f"{canary} {escape}")
    served.respond(key[:-1] + "x", canary)
    served.respond("hgk_" + canary)
    served.ask("POST", "/v1/responses", json.dumps({"model": canary, "input": canary}).encode(), authorization=f"Bearer {key}")
    served.ask("POST", f"/v1/{canary}", canary.encode(), authorization=f"Bearer {key}", user_agent=canary, x_headgate_session=canary)
    served.ask("GET", f"/v1/responses/resp_{canary}", authorization=f"Bearer {key}")
    served.ask("POST", "/v1/responses", b'{"model":"gpt-5.5","input":"' + canary.encode(), authorization=f"Bearer {key}")
    served.raw(f"GET /{canary}{escape} HTTP/1.1\r\nhost: {canary}\r\nhost: x\r\n\r\n".encode())
    served.raw(b"\x16\x03\x01\x02\x00" + canary.encode() + b"\r\n\r\n")
    stage.rehearsal.fault("cut_midstream")
    served.respond(key, canary)
    served.write(f"# {canary}\n[gate")
    os.kill(pid_of(served), signal.SIGHUP)
    served.event("reload_refused")
    assert served.stop() == 0
    log = served.log()
    assert len(served.lines()) > 5, "every line parses, or this had failed"
    for secret in (key, key[4:], CREDENTIAL, canary, escape, "canary-user"):
        assert secret not in log
    assert all(character == "\n" or character.isprintable() for character in log)
    assert issued["id"] in log
