"""TLS on both sides of the real gate: who is believed, who is not, and that a call which was not believed costs nothing."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.world.authority import Authority, Terminator
from tests.world.served import Served, Stage, configuration, staged
from tests.world.worldhouse import PATIENCE_S, Rehearsal

pytestmark = pytest.mark.slow

Terminate = Callable[..., Terminator]


@pytest.fixture(scope="module")
def one_rehearsal(root: Path) -> Iterator[Rehearsal]:
    rehearsal = Rehearsal(root / "src")
    yield rehearsal
    assert rehearsal.stop() == 0


@pytest.fixture
def stage(root: Path, tmp_path: Path, one_rehearsal: Rehearsal) -> Iterator[Stage]:
    one_rehearsal.ask("POST", "reset")
    yield from staged(root / "src", tmp_path, one_rehearsal)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "pki")


@pytest.fixture
def terminate(one_rehearsal: Rehearsal) -> Iterator[Terminate]:
    """Puts TLS in front of the rehearsal."""
    opened: list[Terminator] = []

    def begin(pair: tuple[Path, Path], clients: Path | None = None, newest: ssl.TLSVersion | None = None) -> Terminator:
        opened.append(Terminator(one_rehearsal.port, *pair, clients, newest))
        return opened[-1]

    yield begin
    for terminator in opened:
        terminator.close()


def behind(terminator: Terminator, path: str, host: str = "localhost") -> str:
    return configuration(f"https://{host}:{terminator.port}/v1", path=path)


def refused(served: Served, rehearsal: Rehearsal, why: str) -> None:
    """A call that was never sent: told as such, charged nothing, and in nobody's doubt."""
    heard = served.respond(served.key()["key"])
    assert (heard.status, heard.code) == (503, "upstream_unreachable")
    message = heard.json["error"]["message"]
    assert why in message and "Nothing was sent and nothing is charged" in message
    assert rehearsal.calls() == []
    assert served.stop() == 0
    told = json.loads(served.done("budget", "show", "--json"))
    assert told["doubts"] == [] and all(budget["posted"] == budget["held"] == 0 for budget in told["budgets"])


def test_a_provider_with_a_certificate_of_the_companys_own_authority(stage: Stage, authority: Authority, terminate: Terminate) -> None:
    terminator = terminate(authority.issue("provider"))
    served = stage.gate(behind(terminator, f'ca_file = "{authority.file}"'), "serve", "--no-house").start()
    key = served.key()["key"]
    assert served.respond(key).status == 200
    assert served.stream(key).last()["type"] == "response.completed"
    assert len(stage.rehearsal.calls()) == 2 and served.stop() == 0


@pytest.mark.parametrize(
    ("host", "days", "trusted", "asked", "why"),
    [
        ("localhost", 1, False, "localhost", "unable to get local issuer certificate"),
        ("elsewhere.example", 1, True, "localhost", "Hostname mismatch"),
        ("localhost", -1, True, "localhost", "certificate has expired"),
        ("localhost", 1, True, "127.0.0.1", "IP address mismatch"),
    ],
)
def test_a_provider_that_is_not_who_it_should_be_is_sent_nothing(
    stage: Stage, authority: Authority, terminate: Terminate, host: str, days: int, trusted: bool, asked: str, why: str
) -> None:
    terminator = terminate(authority.issue("provider", host, days))
    path = f'ca_file = "{authority.file}"' if trusted else ""
    served = stage.gate(behind(terminator, path, asked), "serve", "--no-house").start()
    refused(served, stage.rehearsal, why)


def test_a_provider_of_yesterdays_protocol_is_sent_nothing(stage: Stage, authority: Authority, terminate: Terminate) -> None:
    terminator = terminate(authority.issue("provider"), newest=ssl.TLSVersion.TLSv1_1)
    served = stage.gate(behind(terminator, f'ca_file = "{authority.file}"'), "serve", "--no-house").start()
    refused(served, stage.rehearsal, "failed")
    assert terminator.shaken == 0


def test_a_provider_that_asks_who_we_are_is_shown_our_certificate(stage: Stage, authority: Authority, terminate: Terminate) -> None:
    certificate, key = authority.issue("gate", "gate.example")
    terminator = terminate(authority.issue("provider"), clients=authority.file)
    ours = f'ca_file = "{authority.file}"\nclient_certificate = "{certificate}"\nclient_key = "{key}"'
    served = stage.gate(behind(terminator, ours), "serve", "--no-house").start()
    assert served.respond(served.key()["key"]).status == 200
    assert served.stop() == 0


def test_a_provider_that_does_not_believe_us_gets_no_call(stage: Stage, authority: Authority, terminate: Terminate, tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path / "other", "stranger").issue("gate", "gate.example")
    terminator = terminate(authority.issue("provider"), clients=authority.file)
    theirs = f'ca_file = "{authority.file}"\nclient_certificate = "{certificate}"\nclient_key = "{key}"'
    served = stage.gate(behind(terminator, theirs), "serve", "--no-house").start()
    heard = served.respond(served.key()["key"])
    # With TLS 1.3 a server says no after the client has sent: what left cannot be called unsent, and stays in doubt.
    assert heard.status in (502, 503) and heard.code in ("upstream_cut", "upstream_unreachable")
    assert stage.rehearsal.calls() == [] and served.stop() == 0


# -- what clients see -------------------------------------------------------------------------------------------------------


def over_tls(stage: Stage, authority: Authority, name: str = "gate") -> Served:
    chain, key = authority.issue(name)
    lines = f'tls_certificate = "{chain}"\ntls_key = "{key}"'
    served = stage.gate(configuration(stage.rehearsal.base_url, gate=lines), "serve", "--no-house")
    served.tls = ssl.create_default_context(cafile=str(authority.file))
    return served.start()


def test_clients_speak_to_the_gate_over_tls(stage: Stage, authority: Authority) -> None:
    served = over_tls(stage, authority)
    key = served.key()["key"]
    assert served.respond(key).status == 200
    assert served.stream(key).last()["type"] == "response.completed"
    assert served.tls is not None
    plain = socket.create_connection(("127.0.0.1", served.port), PATIENCE_S)
    with served.tls.wrap_socket(plain, server_hostname="localhost") as spoken:
        assert spoken.version() in ("TLSv1.2", "TLSv1.3")
    assert served.stop() == 0


def test_whoever_speaks_plain_http_or_yesterdays_tls_to_it_is_not_answered(stage: Stage, authority: Authority) -> None:
    served = over_tls(stage, authority)
    key = served.key()["key"]
    assert served.raw(f"GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\r\n".encode()) == b""
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(authority.file)
    old.minimum_version, old.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", served.port), PATIENCE_S) as plain, pytest.raises((ssl.SSLError, ConnectionError)):
        old.wrap_socket(plain, server_hostname="localhost")
    assert served.respond(key).status == 200
    assert served.stop() == 0
    assert [line for line in served.lines() if line["event"] == "fault"] == []


def serial(served: Served, authority: Authority) -> str:
    context = ssl.create_default_context(cafile=str(authority.file))
    plain = socket.create_connection(("127.0.0.1", served.port), PATIENCE_S)
    with context.wrap_socket(plain, server_hostname="localhost") as spoken:
        certificate = spoken.getpeercert()
        assert certificate is not None
        return str(certificate["serialNumber"])


def test_a_renewed_certificate_is_taken_by_a_reload_and_a_broken_one_is_not(stage: Stage, authority: Authority) -> None:
    served = over_tls(stage, authority)
    first = serial(served, authority)
    chain, key = authority.issue("gate")
    assert serial(served, authority) == first
    served.done("reload")
    second = serial(served, authority)
    assert second != first
    good = chain.read_text()
    chain.write_text("nonsense")
    told = served.headgate("reload")
    assert told.returncode == 1 and "nothing was changed" in told.stderr and "gate.tls_certificate" in told.stderr
    assert serial(served, authority) == second
    chain.write_text(good)
    served.done("reload")
    assert key.exists() and served.stop() == 0


@pytest.mark.parametrize("broken", ["nonsense", "other_key", "encrypted"])
def test_a_certificate_that_cannot_be_used_stops_the_start_with_a_message(stage: Stage, authority: Authority, broken: str) -> None:
    chain, key = authority.issue("gate")
    _, other = authority.issue("other")
    if broken == "nonsense":
        chain.write_text("nonsense")
    elif broken == "other_key":
        key = other
    else:
        key.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIHs\n-----END ENCRYPTED PRIVATE KEY-----\n")
    lines = f'tls_certificate = "{chain}"\ntls_key = "{key}"'
    served = stage.gate(configuration(stage.rehearsal.base_url, gate=lines))
    code, said = served.fails()
    assert code == 3 and "gate.tls_certificate: expected a certificate chain in PEM" in said and "Traceback" not in said
    assert served.headgate("check").returncode == 3
