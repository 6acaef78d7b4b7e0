"""The benchmark's own tools, tried against each other: what one counts, the other counts. No test here asserts a time."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    shutil.which("gcc") is None or not sys.platform.startswith("linux"),
    reason="NOT TRIED: the benchmark's tools need gcc and Linux (apt-get install gcc libc6-dev)",
)


class Tools:
    """The two programs, and an upstream that is running."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port

    def control(self, query: str = "") -> dict[str, int]:
        status, body = self.get(f"/control?{query}")
        assert status == 200
        return json.loads(body)

    def get(self, target: str) -> tuple[int, bytes]:
        return self.ask("GET", target, None)

    def ask(self, method: str, target: str, body: bytes | None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, target, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def load(self, body: str, *words: str, port: int | None = None) -> dict[str, int]:
        file = self.folder / "body.json"
        file.write_text(body)
        command = [
            str(self.folder / "load"),
            "--port",
            str(port or self.port),
            "--body",
            str(file),
            "--warm-up",
            "0",
            "--connections",
            "8",
            *words,
        ]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    subprocess.run([sys.executable, "-m", "bench.tools", str(folder)], cwd=ROOT, env=environment, check=True)
    return folder


@pytest.fixture
def tools(programs: Path) -> Iterator[Tools]:
    upstream = subprocess.Popen([str(programs / "upstream"), "--port", "0", "--rehearsal"], stdout=subprocess.PIPE, text=True)
    assert upstream.stdout is not None
    try:
        yield Tools(programs, int(upstream.stdout.readline().split()[1]))
    finally:
        upstream.terminate()
        upstream.wait()
        upstream.stdout.close()


@pytest.mark.parametrize("target", ["/v1/responses", "/v1/chat/completions"])
@pytest.mark.parametrize("rate", [(), ("--rate", "200")], ids=["closed loop", "open loop"])
def test_every_request_that_the_load_sends_is_counted_by_the_upstream(tools: Tools, target: str, rate: tuple[str, ...]) -> None:
    told = tools.load('{"model":"gpt-4o-mini"}', "--target", target, "--seconds", "0.3", "--drain", "5", *rate)
    counted = tools.control()
    assert told["sent"] == told["answered"] == counted["requests"] == counted["answers"] > 0
    assert 0 < told["good"] <= told["answered"]
    assert told["statuses"] == {"200": told["good"]}
    assert not any(told[error] for error in ("not_2xx", "short_answers", "transport_errors", "connect_errors", "unanswered"))


@pytest.mark.parametrize("target", ["/v1/responses", "/v1/chat/completions"])
def test_every_event_that_the_upstream_sends_is_counted_by_the_load(tools: Tools, target: str) -> None:
    tools.control("events=40")
    told = tools.load(
        '{"model":"gpt-4o-mini","stream":true}', "--target", target, "--seconds", "0.3", "--drain", "5", "--events", "40", "--delays"
    )
    counted = tools.control()
    assert told["sent"] == told["answered"] == counted["requests"] > 0
    assert counted["events"] == 40 * counted["requests"]
    assert told["short_answers"] == 0
    assert told["events"] >= 40 * told["good"] > 0


def test_a_paced_stream_has_the_events_of_a_whole_one(tools: Tools) -> None:
    body = b'{"model":"gpt-4o-mini","stream": true}'
    tools.control("events=20")
    whole = tools.ask("POST", "/v1/responses", body)[1]
    tools.control("interval_ms=1&burst=3")
    paced = tools.ask("POST", "/v1/responses", body)[1]
    assert _without_time(paced) == _without_time(whole)
    assert len(_without_time(whole)) == 20


def _without_time(stream: bytes) -> list[dict[str, object]]:
    events = [json.loads(event.partition(b"data: ")[2]) for event in stream.split(b"\n\n") if event]
    for event in events:
        assert len(str(event.pop("ts"))) == 19
        response = event.get("response")
        if isinstance(response, dict):
            del response["id"]
    return events


def test_an_answer_with_events_missing_is_no_answer(tools: Tools) -> None:
    tools.control("events=20")
    told = tools.load('{"stream":true}', "--target", "/v1/responses", "--seconds", "0.2", "--events", "21")
    assert told["good"] == 0
    assert told["short_answers"] > 0


def test_an_answer_that_is_not_2xx_is_no_answer(tools: Tools) -> None:
    told = tools.load("{}", "--target", "/v1/nothing", "--seconds", "0.2")
    assert told["good"] == 0
    assert told["not_2xx"] > 0
    assert told["statuses"] == {"404": told["not_2xx"]}


def test_a_closed_port_is_an_error_and_not_a_silence(tools: Tools) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        told = tools.load("{}", "--target", "/v1/responses", "--seconds", "0.1", "--drain", "0", port=nobody.getsockname()[1])
    assert told["connect_errors"] > 0
    assert told["good"] == 0


def test_a_long_body_is_read_to_its_end_and_its_stream_field_found_there(tools: Tools) -> None:
    tools.control("events=12")
    long_body = json.dumps({"model": "gpt-5.5", "input": "x" * 120_000, "stream": True})
    told = tools.load(long_body, "--target", "/v1/responses", "--seconds", "0.2", "--drain", "5", "--events", "12")
    assert told["sent"] == told["answered"] == tools.control()["requests"] > 0
    assert told["short_answers"] == 0


def test_the_usage_stays_within_what_the_requests_allow(tools: Tools) -> None:
    tools.control("model=gpt-5.5")
    response = json.loads(tools.ask("POST", "/v1/responses", b"{}")[1])
    chat = json.loads(tools.ask("POST", "/v1/chat/completions", b"{}")[1])
    assert response["model"] == chat["model"] == "gpt-5.5"
    assert response["usage"]["output_tokens"] <= 64
    assert chat["usage"]["completion_tokens"] <= 64
    assert response["id"] != json.loads(tools.ask("POST", "/v1/responses", b"{}")[1])["id"]


def test_an_unknown_setting_is_refused(tools: Tools) -> None:
    assert tools.get("/control?evnets=3")[0] == 400
    assert tools.get("/control?events=1")[0] == 400
