"""The raw client against a server that this test scripts byte for byte."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import uvloop

from headgate.trials.client import Client, Heard, Leave, post, refusal_of

REQUEST = post("127.0.0.1", "/v1/responses", "k", b'{"model":"m"}')
WHOLE = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"

Talk = Callable[[Client], Awaitable[list[Heard]]]


def play(answers: list[bytes], talk: Talk, close_after: bool = False) -> tuple[list[Heard], list[bytes]]:
    """One connection after another; each request gets the next answer. Returns what the client and what the server heard."""
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while answers:
            head = await reader.read(65536)
            got.append(head)
            if not head:
                break
            writer.write(answers.pop(0))
            await writer.drain()
            if close_after:
                break
        writer.close()

    async def run() -> list[Heard]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        client = Client("127.0.0.1", server.sockets[0].getsockname()[1])
        try:
            return list(await talk(client))
        finally:
            client.close()
            server.close()

    return uvloop.run(run()), got


def test_a_kept_connection_serves_one_request_after_another() -> None:
    async def talk(client: Client) -> list[Heard]:
        return [await client.ask(REQUEST), await client.ask(REQUEST)]

    heard, got = play([WHOLE, CHUNKED], talk)
    assert [(one.status, one.whole, one.body) for one in heard] == [(200, True, b"{}"), (200, True, b"abcdef")]
    assert got == [REQUEST, REQUEST]


def test_an_answer_that_breaks_off_is_not_whole() -> None:
    async def talk(client: Client) -> list[Heard]:
        return [await client.ask(REQUEST)]

    heard, _ = play([WHOLE[:-1]], talk, close_after=True)
    assert (heard[0].status, heard[0].whole, heard[0].left) == (200, False, False)


def test_nobody_listening_is_no_answer() -> None:
    async def talk(client: Client) -> list[Heard]:
        return [await Client("127.0.0.1", 1).ask(REQUEST)]

    heard, _ = play([], talk)
    assert (heard[0].status, heard[0].whole, heard[0].left) == (0, False, False)


def test_a_caller_may_leave_after_some_bytes_or_before_the_request_is_out() -> None:
    async def talk(client: Client) -> list[Heard]:
        return [
            await client.ask(REQUEST, Leave(after_bytes=1)),
            await client.ask(REQUEST, Leave(mid_request=True)),
            await client.ask(REQUEST),
        ]

    heard, got = play([CHUNKED, WHOLE, WHOLE], talk)
    assert [one.left for one in heard] == [True, True, False]
    assert REQUEST[: len(REQUEST) // 2] in got


def test_a_refusal_is_read_and_anything_else_is_none() -> None:
    no = Heard(429, b'{"error":{"message":"m","code":"c","policy_code":"budget_busy","scope":"s","extra":1}}')
    assert (refusal_of(no).policy_code, refusal_of(no).scope) == ("budget_busy", "s")
    assert refusal_of(Heard(502, b"<html>")).message == ""
