"""What docs/first-call.md tells a newcomer to type works as it stands there, and so does plain HTTP as old as it gets."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.world.codex import TASK, Codex
from tests.world.worldhouse import PATIENCE_S, World

ADDRESS = "http://127.0.0.1:8080"
_BLOCK = re.compile(r"^```(?P<kind>[a-z]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def blocks(root: Path) -> list[tuple[str, str]]:
    """The blocks of the page: what kind, and the text."""
    text = (root / "docs/first-call.md").read_text(encoding="utf-8")
    return [(match["kind"], match["text"]) for match in _BLOCK.finditer(text)]


def here(world: World, text: str, key: str) -> str:
    assert ADDRESS in text
    return text.replace(ADDRESS, world.base_url.removesuffix("/v1")).replace("hgk_…", key)


def typed(text: str, key: str) -> str:
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HEADGATE_KEY": key, "CURL_HOME": "/nonexistent"}
    done = subprocess.run(["sh", "-c", text], env=environment, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_curl_of_the_page_works(world: World, program: Callable[[str], Path], blocks: list[tuple[str, str]]) -> None:
    program("curl")
    key = world.key()
    commands = [text for kind, text in blocks if kind == "" and text.startswith("curl ")]
    assert len(commands) == 3
    response, stream, models = (typed(here(world, text, key.key), key.key) for text in commands)
    assert json.loads(response)["output"][-1]["content"][0]["text"] == "hello"
    events = [line.removeprefix("data: ") for line in stream.splitlines() if line]
    assert events[-1] == "[DONE]" and json.loads(events[-2])["usage"]["completion_tokens"] > 0
    assert "gpt-5.5" in [model["id"] for model in json.loads(models)["data"]]
    assert len(world.agrees(key)) == 2


def test_the_program_of_the_page_works_with_both_ways_to_say_where(world: World, blocks: list[tuple[str, str]]) -> None:
    key = world.key()
    (program,) = [text for kind, text in blocks if kind == "python"]
    (exports,) = [text for kind, text in blocks if text.startswith("export OPENAI_BASE_URL")]
    assert subprocess.run(
        [sys.executable, "-c", here(world, program, key.key)], capture_output=True, text=True, timeout=PATIENCE_S, check=True
    ).stdout == "hello\n"  # fmt: skip
    bare = re.sub(r"OpenAI\(.*?\)\n", "OpenAI()\n", program)
    assert "OpenAI()\n" in bare
    assert typed(f"{here(world, exports, key.key)}\n{sys.executable} - <<'END'\n{bare}\nEND\n", key.key) == "hello\n"
    assert len(world.agrees(key)) == 2


@pytest.mark.world
def test_the_configuration_of_codex_on_the_page_works(
    world: World, program: Callable[[str], Path], tmp_path: Path, blocks: list[tuple[str, str]]
) -> None:
    key = world.key()
    (text,) = [text for kind, text in blocks if kind == "toml"]
    assert tomllib.loads(text)["features"] == {"unbounded_connection_retries": False}
    codex = Codex(program("codex"), tmp_path, world.base_url, key.key)
    (codex.home / "config.toml").write_text(here(world, text, key.key))
    # So that a test speaks to nobody else.
    quiet = ("features.plugins=false", "features.apps=false", "analytics.enabled=false", "feedback.enabled=false")
    ran = codex.exec(TASK, *(word for setting in quiet for word in ("-c", setting)))
    assert ran.code == 0 and codex.mended, ran.shown
    assert len(world.agrees(key)) == 4


# -- plain HTTP ------------------------------------------------------------------------------------------------------


def request(world: World, key: str, body: dict[str, Any], version: str = "1.1", **headers: str) -> bytes:
    data = json.dumps(body).encode()
    lines = {"authorization": f"Bearer {key}", "content-type": "application/json", "content-length": str(len(data)), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST /v1/responses HTTP/{version}\r\nhost: 127.0.0.1:{world.port}\r\n{head}\r\n".encode() + data


def read_to_end(connection: socket.socket) -> bytes:
    pieces = b""
    while piece := connection.recv(65536):
        pieces += piece
    return pieces


def one_answer(connection: socket.socket) -> tuple[bytes, bytes]:
    """Head and body of an answer with a length, and not a byte more."""
    read = b""
    while b"\r\n\r\n" not in read:
        read += connection.recv(65536)
    head, _, body = read.partition(b"\r\n\r\n")
    length = int(re.findall(rb"content-length: (\d+)", head.lower())[0])
    while len(body) < length:
        body += connection.recv(65536)
    assert len(body) == length
    return head, body


@pytest.mark.parametrize("streaming", [False, True])
def test_a_client_of_http_1_0_gets_an_answer_that_ends_with_its_connection(world: World, streaming: bool) -> None:
    key = world.key()
    asked = {"model": "gpt-5.5", "input": "Say hello.", "stream": streaming}
    with socket.create_connection(("127.0.0.1", world.port), PATIENCE_S) as connection:
        connection.sendall(request(world, key.key, asked, "1.0"))
        head, _, body = read_to_end(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ") and b"chunked" not in head.lower() and b"connection: close" in head.lower()
    assert (b"event: response.completed" if streaming else b'"status":"completed"') in body
    assert len(world.agrees(key)) == 1


def test_one_connection_carries_many_calls_refused_ones_too(world: World) -> None:
    key = world.key("narrow")
    with socket.create_connection(("127.0.0.1", world.port), PATIENCE_S) as connection:
        for model, status in (("gpt-5.4-mini", b"200"), ("gpt-5.5", b"403"), ("gpt-5.4-mini", b"200")):
            connection.sendall(request(world, key.key, {"model": model, "input": "Say hello."}))
            head, _ = one_answer(connection)
            assert head.startswith(b"HTTP/1.1 " + status) and b"connection: close" not in head.lower()
    assert len(world.agrees(key)) == 2 and world.refusals(key) == ["model_not_allowed"]


def test_calls_that_are_sent_without_waiting_are_answered_in_order(world: World) -> None:
    key = world.key()
    with socket.create_connection(("127.0.0.1", world.port), PATIENCE_S) as connection:
        connection.sendall(
            b"".join(request(world, key.key, {"model": "gpt-5.5", "input": f"Say {word}."}) for word in ("one", "two", "three"))
            + request(world, key.key, {"model": "gpt-5.5", "input": "Say four."}, connection="close")
        )
        answers = read_to_end(connection)
    assert re.findall(rb'"text":"(\w+)"', answers) == [b"one", b"two", b"three", b"four"]
    assert len(world.agrees(key)) == 4


def test_a_client_that_waits_to_be_asked_for_its_body_is_asked_once_its_key_is_known(world: World) -> None:
    key = world.key()
    head, _, body = request(world, key.key, {"model": "gpt-5.5", "input": "Say hello."}, expect="100-continue").partition(b"\r\n\r\n")
    with socket.create_connection(("127.0.0.1", world.port), PATIENCE_S) as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(1024) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert one_answer(connection)[0].startswith(b"HTTP/1.1 200 ")
    stranger = head.replace(key.key.encode(), b"hgk_nobody")
    with socket.create_connection(("127.0.0.1", world.port), PATIENCE_S) as connection:
        connection.sendall(stranger + b"\r\n\r\n")
        assert connection.recv(1024).startswith(b"HTTP/1.1 401 ")
