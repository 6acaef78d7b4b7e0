"""What a stranger can send to the real gate: huge, deep, doubled, cut in two, with every kind of key; nothing of it costs anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.world.served import MODEL, Heard, Served, Stage, configuration, peak_kib, staged
from tests.world.worldhouse import Rehearsal

from headgate.policy.keys import make_key

pytestmark = pytest.mark.slow

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def stage(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    rehearsal = Rehearsal(root / "src")
    yield from staged(root / "src", tmp_path_factory.mktemp("input"), rehearsal)
    assert rehearsal.stop() == 0


@pytest.fixture(scope="module")
def served(stage: Stage) -> Iterator[Served]:
    """One gate for all: whatever is sent to it, it must be as good as new at the end."""
    text = configuration(
        stage.rehearsal.base_url,
        workspace='[workspaces.ci]\nenvironment = "ci"\npaths = ["openai"]\nmodels = ["gpt-5.4-mini"]\ncaps.month = "1"',
    )
    served = stage.gate(text).start()
    yield served
    assert len(stage.rehearsal.calls()) == 0, "nothing of all this was sent"
    key = served.key()["key"]
    assert served.respond(key).status == 200
    assert served.stop() == 0
    assert json.loads(served.done("ledger", "verify", "--json"))["findings"] == []
    told = json.loads(served.done("budget", "show", "--json"))
    assert told["doubts"] == [] and len({budget["posted"] for budget in told["budgets"]}) == 1
    assert {line["event"] for line in served.lines()} & {"fault", "fatal", "breach", "frozen"} == set()


@pytest.fixture(scope="module")
def key(served: Served) -> str:
    return str(served.key()["key"])


def post(served: Served, key: str, body: bytes, target: str = "/v1/responses") -> Heard:
    return served.ask("POST", target, body, authorization=f"Bearer {key}", content_type="application/json")


# -- bodies -----------------------------------------------------------------------------------------------------------------


def test_a_body_over_the_limit_is_refused_by_its_length_alone(served: Served, key: str) -> None:
    head = f"POST /v1/responses HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: {33 * MIB}\r\n\r\n"
    heard = served.raw(head.encode())
    assert heard.startswith(b"HTTP/1.1 413 ") and b'"body_too_large"' in heard and b"33554432" in heard


def test_a_body_that_does_not_tell_its_length_is_refused_when_it_is_over(served: Served, key: str) -> None:
    chunk = b"100000\r\n" + b"x" * MIB + b"\r\n"
    head = f"POST /v1/responses HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ntransfer-encoding: chunked\r\n\r\n"
    heard = served.raw(head.encode() + chunk * 33 + b"0\r\n\r\n")
    assert heard.startswith(b"HTTP/1.1 413 ")


def test_large_bodies_do_not_stay_in_memory(served: Served, key: str) -> None:
    body = json.dumps({"model": "none", "input": "x" * (8 * MIB)}).encode()
    assert post(served, key, body).code == "model_not_found"
    gate = served.child("gate")
    before = peak_kib(gate)
    for _ in range(30):
        assert post(served, key, body).code == "model_not_found"
    assert peak_kib(gate) - before < 40 * 1024, "thirty bodies of 8 MiB, one after the other, need the room of a few"


def test_a_flood_of_bodies_without_a_key_is_not_even_read(served: Served) -> None:
    gate = served.child("gate")
    before = peak_kib(gate)
    body = b"x" * (8 * MIB)

    def send(_: int) -> bytes:
        head = f"POST /v1/responses HTTP/1.1\r\nhost: x\r\nauthorization: Bearer hgk_no\r\ncontent-length: {len(body)}\r\n\r\n"
        try:
            return served.raw(head.encode() + body)
        except ConnectionError:
            return b""  # cut off while it sent what nobody reads

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(send, range(16)))
    assert any(answer.startswith(b"HTTP/1.1 401 ") for answer in answers)
    assert peak_kib(gate) - before < 32 * 1024


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b"null", "invalid_json"),
        (b'"x"', "invalid_json"),
        (b"\xff\xfe{}", "invalid_json"),
        (b"[" * 1_000_000, "invalid_json"),
        (b'{"model":"gpt-5.5","input":' + b"[" * 10_000 + b"]" * 10_000 + b"}", "too_deep"),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "too_deep"),
        (b'{"model":"gpt-5.5","model":"gpt-5.4-mini","input":"x"}', "duplicate_field"),
        (b'{"model":"gpt-5.5","mod\\u0065l":"gpt-5.4-mini","input":"x"}', "duplicate_field"),
        (b'{"model":"gpt-5.5","input":"x","max_output_tokens":1,"max_output_tokens":100000}', "duplicate_field"),
        (b'{"model":"gpt-5.5","input":"x","tools":[{"type":"function","type":"web_search"}]}', "duplicate_field"),
        (b'{"model":5,"input":"x"}', "invalid_field"),
        (b'{"model":"","input":"x"}', "invalid_field"),
        (b'{"model":"gpt-5.5","input":"x","stream":"yes"}', "invalid_field"),
        (b'{"model":"gpt-5.5","input":"x","max_output_tokens":-1}', "invalid_field"),
        (b'{"model":"gpt-5.5","input":"x","max_output_tokens":1e400}', "invalid_field"),
        (b'{"model":"gpt-5.5","input":"x","max_output_tokens":' + b"9" * 400 + b"}", "invalid_field"),
        (b'{"model":"gpt-5.5","input":"x","service_tier":"gold"}', "tier_not_allowed"),
        (b'{"model":"gpt-5.5","input":"x","background":true}', "unbounded"),
        (b'{"model":"no-such-model","input":"x"}', "model_not_found"),
        (b'{"model":"' + b"m" * 100_000 + b'","input":"x"}', "invalid_field"),
        (b'{"model":"gpt-5.5","input":"x","previous_response_id":"resp_of_somebody"}', "object_not_found"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[:60].decode("latin-1"),
)
def test_a_body_that_cannot_be_is_refused_in_openais_shape_and_never_sent(served: Served, key: str, body: bytes, code: str) -> None:
    heard = post(served, key, body)
    assert 400 <= heard.status < 500 and heard.code == code
    error = heard.json["error"]
    assert error["message"] and error["decision_id"].startswith("req_") and len(error["message"]) < 1_500
    assert heard.headers["x-should-retry"] == "false"


def test_a_bomb_in_a_compressed_body_is_not_opened(served: Served, key: str) -> None:
    heard = served.ask("POST", "/v1/responses", b"\x1f\x8b" * 100, authorization=f"Bearer {key}", content_encoding="gzip")
    assert (heard.status, heard.code) == (415, "unsupported_encoding")


# -- framing ----------------------------------------------------------------------------------------------------------------

INSIDE = b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.mark.parametrize(
    "lines",
    [
        b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" + INSIDE,
        b"content-length: 5\r\ncontent-length: 50\r\n\r\nhello" + INSIDE,
        b"content-length: +5\r\n\r\nhello" + INSIDE,
        b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n" + INSIDE,
        b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n" + INSIDE,
        b"transfer-encoding: chunked\r\n\r\n5;x\r\nhello\n0\r\n\r\n" + INSIDE,
        b"x: a\n content-length: 5\r\n\r\nhello" + INSIDE,
        b"host: y\r\ncontent-length: 0\r\n\r\n" + INSIDE,
    ],
)
def test_what_two_readers_could_cut_differently_is_refused_and_the_line_is_closed(served: Served, key: str, lines: bytes) -> None:
    heard = served.raw(b"POST /v1/responses HTTP/1.1\r\nhost: x\r\nauthorization: Bearer " + key.encode() + b"\r\n" + lines)
    assert heard.startswith(b"HTTP/1.1 400 ") and heard.count(b"HTTP/1.1 ") == 1 and b"connection: close" in heard.lower()


# -- keys -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "code", "told"),
    [
        (None, "missing_key", "Send your Headgate key as the header Authorization: Bearer hgk_"),
        ("", "invalid_key", "not of the form: Bearer hgk_"),
        ("Bearer", "invalid_key", "not of the form: Bearer hgk_"),
        ("Basic YWxpY2U6c2VjcmV0", "invalid_key", "not of the form: Bearer hgk_"),
        ("Bearer sk-proj-abc", "invalid_key", "A provider's own key is not accepted here"),
        ("Bearer hgk_short", "invalid_key", "its checksum does not fit"),
        ("Bearer {cut}", "invalid_key", "its checksum does not fit"),
        ("Bearer {swapped}", "invalid_key", "its checksum does not fit"),
        ("Bearer {unknown}", "invalid_key", "is not known here, or was revoked"),
        ("Bearer {revoked}", "invalid_key", "is not known here, or was revoked"),
        ("Bearer {ended}", "expired_key", "has expired"),
        ("Bearer {key} {key}", "invalid_key", "its checksum does not fit"),
    ],
)
def test_a_key_that_is_no_good_is_told_why_and_never_repeated(served: Served, key: str, header: str | None, code: str, told: str) -> None:
    issued, ended = served.key(), served.key()
    served.done("key", "revoke", issued["id"], "--reason", "x")
    served.done("key", "rotate", ended["id"], "--overlap-hours", "0")
    unknown = make_key(bytes(32))
    words = {"key": key, "cut": key[:-1], "swapped": key[:10] + key[11] + key[10] + key[12:], "unknown": unknown}
    words |= {"revoked": issued["key"], "ended": ended["key"]}
    headers = {} if header is None else {"authorization": header.format(**words)}
    heard = served.ask("POST", "/v1/responses", b'{"model":"gpt-5.5","input":"x"}', **headers)
    assert heard.status == 401 and heard.code == code and told in heard.json["error"]["message"]
    for word in words.values():
        assert word not in heard.body.decode()


def test_a_key_is_kept_to_its_models_networks_and_workspace(served: Served) -> None:
    narrow = served.key("--model", "gpt-5.4-mini", "--network", "10.0.0.0/8")
    heard = served.respond(narrow["key"])
    assert (heard.status, heard.code) == (403, "network_not_allowed")
    narrow = served.key("--model", "gpt-5.4-mini", "--network", "127.0.0.0/8")
    heard = served.respond(narrow["key"])
    assert (heard.status, heard.code) == (403, "model_not_allowed") and "gpt-5.4-mini" in heard.json["error"]["message"]
    models = served.ask("GET", "/v1/models", authorization=f"Bearer {narrow['key']}").json["data"]
    assert [model["id"] for model in models] == ["gpt-5.4-mini"]
    ci = json.loads(served.done("key", "issue", "--json", "--workspace", "ci", "--label", "x"))
    assert served.respond(ci["key"]).code == "model_not_allowed"
    assert MODEL not in json.dumps(served.ask("GET", "/v1/models", authorization=f"Bearer {ci['key']}").json["data"])


@pytest.mark.parametrize(
    ("method", "target", "status", "code"),
    [
        ("GET", "/", 404, "unknown_route"),
        ("GET", "/v1/../admin/v1/keys", 404, "unknown_route"),
        ("GET", "/admin/v1/keys", 404, "unknown_route"),
        ("GET", "/metrics", 404, "unknown_route"),
        ("POST", "/v1//responses", 404, "unknown_route"),
        ("POST", "/v1/responses/", 404, "unknown_route"),
        ("POST", "/v1/%72esponses", 404, "unknown_route"),
        ("PUT", "/v1/responses", 405, "method_not_allowed"),
        ("POST", "/v1/embeddings", 403, "route_not_served"),
        ("GET", "/v1/responses/resp_of_somebody_else", 404, "object_not_found"),
        ("DELETE", "/v1/responses/..%2f..%2fmodels", 404, ""),
    ],
)
def test_only_the_routes_that_are_served_are(served: Served, key: str, method: str, target: str, status: int, code: str) -> None:
    heard = served.ask(method, target, authorization=f"Bearer {key}")
    assert heard.status == status and code in heard.code
