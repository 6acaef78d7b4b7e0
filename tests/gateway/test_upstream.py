from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.dialogue import Provider, Script, run, until
from tests.gateway.test_listener import certificate

from headgate.gateway.inflate import Damaged, inflater
from headgate.gateway.upstream import Cut, NotSent, Origin, Receiving, Stalled, Upstream

HEAD = b"POST /v1/responses HTTP/1.1\r\nHost: provider\r\nContent-Length: %d\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

Play = Callable[[Script], Awaitable[None]]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def post(upstream: Upstream, body: bytes = b"{}", protected: bool = False) -> Receiving:
    return await upstream.send(HEAD % len(body), body, protected)


def answers(*pieces: bytes, then: str = "stay") -> Play:
    """A provider that answers one request with these pieces, and then stays, hangs up or tears the connection."""

    async def play(script: Script) -> None:
        await script.request()
        await script.say(*pieces)
        if then == "reset":
            script.reset()
        elif then == "stay":
            await script.reader.read()

    return play


async def serve(script: Script) -> None:
    """A provider that answers every request, with its body, for as long as it is asked."""
    while True:
        request = await script.request()
        body = request.partition(b"\r\n\r\n")[2]
        await script.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-Request-Id: r\r\n\r\n" % len(body) + body)


class Meeting:
    """One provider and the connections to it."""

    def __init__(self, *scripts: Play) -> None:
        self.provider = Provider(*scripts)

    async def upstream(self, **settings: object) -> Upstream:
        port = await self.provider.listen()
        origin = msgspec.structs.replace(Origin("127.0.0.1", port, sweep_s=0.01), **settings)
        return Upstream(origin)


def meet(story: Callable[[Upstream, Provider], Awaitable[None]], *scripts: Play, **settings: object) -> None:
    async def told() -> None:
        meeting = Meeting(*scripts)
        upstream = await meeting.upstream(**settings)
        await story(upstream, meeting.provider)
        upstream.close()

    run(told())


def test_an_answer_has_a_status_headers_and_a_body() -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        answer = await post(upstream, b"hello")
        assert (answer.status, answer.headers[b"x-request-id"], await answer.read(100)) == (200, b"r", b"hello")

    meet(story, serve)


def test_one_connection_serves_call_after_call_and_the_last_used_is_used_first() -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        for number in range(5):
            assert await (await post(upstream, b"%d" % number)).read(100) == b"%d" % number
        assert provider.connections == 1
        first, second = await asyncio.gather(post(upstream, b"a"), post(upstream, b"b"))
        assert {await first.read(9), await second.read(9)} == {b"a", b"b"}
        assert provider.connections == 2
        for _ in range(5):
            await (await post(upstream)).read(100)
        assert provider.connections == 2
        assert upstream.in_use == 0

    meet(story, serve)


def test_a_large_request_arrives_whole() -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        body = bytes(range(256)) * 8_000
        assert await (await post(upstream, body)).read(1 << 24) == body

    meet(story, serve)


@pytest.mark.parametrize(
    ("said", "body"),
    [
        ((b"HTTP/1.1 204 No Content\r\n\r\n",), b""),
        ((b"HTTP/1.1 304 Not Modified\r\nContent-Length: 50\r\n\r\n",), b""),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",), b""),
        ((STREAM + chunk(b"a") + chunk(b"bc"), b"1\r", b"\nd\r\n0\r\n", b"X-Trailer: 1\r\n\r\n"), b"abcd"),
        ((STREAM + b"1;ext=1\r\na\r\n0\r\n\r\n",), b"a"),
        ((b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", OK), b"ok"),
        ((b"HTTP/1.1 ", b"200", b" OK\r\nContent-Le", b"ngth: 2\r\n\r", b"\no", b"k"), b"ok"),
        ((b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",), b"ok"),
    ],
)
def test_every_kind_of_framing_is_read_and_the_connection_is_used_again(said: tuple[bytes, ...], body: bytes) -> None:
    async def twice(script: Script) -> None:
        for _ in range(2):
            await script.request()
            await script.say(*said)
        await script.reader.read()

    async def story(upstream: Upstream, provider: Provider) -> None:
        for _ in range(2):
            answer = await post(upstream)
            assert await answer.read(100) == body
            assert b"link" not in answer.headers
            assert b"x-trailer" not in answer.headers
        assert provider.connections == 1

    meet(story, twice)


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
    ],
)
def test_an_answer_that_ends_with_its_connection_is_complete(said: bytes) -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        for _ in range(2):
            assert await (await post(upstream)).read(100) == b"ok"
        assert provider.connections == 2

    meet(story, answers(said, then="hang up"))


def test_the_answer_to_head_has_no_body_whatever_its_headers_say() -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        answer = await upstream.send(b"HEAD / HTTP/1.1\r\nHost: p\r\n\r\n", b"")
        assert answer.headers[b"content-length"] == b"50"
        assert await answer.read(100) == b""

    meet(story, answers(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n"))


@pytest.mark.parametrize("surplus", [b"x", OK, b"\x00", b"HTTP/1.1 500 Smuggled\r\nContent-Length: 0\r\n\r\n"])
@pytest.mark.parametrize("said", [OK, STREAM + chunk(b"ok") + b"0\r\n\r\n", OK.replace(b"OK", b"OK\r\nConnection: close")])
def test_bytes_after_an_answer_throw_its_connection_away_and_nothing_else(said: bytes, surplus: bytes) -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        for _ in range(2):
            answer = await post(upstream)
            assert (answer.status, await answer.read(100)) == (200, b"ok")
        assert provider.connections == 2

    meet(story, answers(said + surplus), answers(said))


def test_bytes_on_an_idle_connection_throw_it_away() -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        assert await (await post(upstream)).read(100) == b"ok"
        await until(lambda: provider.open == 0)
        answer = await post(upstream)
        assert (answer.status, await answer.read(100)) == (200, b"ok")
        assert provider.connections == 2

    meet(story, answers(OK, b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"), answers(OK))


def test_a_connection_that_the_provider_has_closed_is_not_used_again() -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        for number in range(3):
            assert await (await post(upstream)).read(100) == b"ok"
            await until(lambda: provider.open == 0)
            await asyncio.sleep(0.01)
            assert provider.connections == number + 1

    meet(story, answers(OK, then="hang up"))


def test_a_connection_that_was_idle_for_too_long_is_closed() -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        assert await (await post(upstream)).read(100) == b"{}"
        await until(lambda: provider.open == 0)
        assert await (await post(upstream)).read(100) == b"{}"
        assert provider.connections == 2

    meet(story, serve, reuse_s=0.05)


def test_a_connection_is_judged_by_its_age_even_before_the_sweep_comes_by() -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        assert await (await post(upstream)).read(100) == b"{}"
        await asyncio.sleep(0.03)
        assert await (await post(upstream)).read(100) == b"{}"
        assert provider.connections == 2

    meet(story, serve, reuse_s=0.02, sweep_s=30)


# What can go wrong before a byte has left.


def test_nobody_listening_means_not_sent() -> None:
    async def story() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # bound and not listening: the port refuses, and nobody else gets it
            upstream = Upstream(Origin("127.0.0.1", taken.getsockname()[1]))
            with pytest.raises(NotSent, match="failed"):
                await post(upstream)
            assert upstream.in_use == 0
            upstream.close()

    run(story())


def test_a_name_that_nobody_knows_means_not_sent() -> None:
    async def story() -> None:
        for name in ("provider.invalid", "a" * 300):
            upstream = Upstream(Origin(name, 443))
            with pytest.raises(NotSent):
                await post(upstream)
            assert upstream.in_use == 0

    run(story())


def test_a_connection_that_is_not_accepted_in_time_means_not_sent() -> None:
    async def story() -> None:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            port = full.getsockname()[1]
            waiting = [socket.socket() for _ in range(4)]  # they fill the queue, so that the next is left without an answer
            for caller in waiting:
                caller.setblocking(False)
                caller.connect_ex(("127.0.0.1", port))
            upstream = Upstream(Origin("127.0.0.1", port, connect_s=0.05))
            with pytest.raises(NotSent, match="no answer in time"):
                await post(upstream)
            assert upstream.in_use == 0
            for caller in waiting:
                caller.close()
            upstream.close()

    run(story())


def test_a_call_gets_a_connection_when_another_is_done_with_it() -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        bodies = [b"%d" % number for number in range(20)]

        async def one(body: bytes) -> bytes:
            return await (await post(upstream, body)).read(100)

        assert await asyncio.gather(*map(one, bodies)) == bodies
        assert provider.connections <= 3
        assert upstream.in_use == 0

    meet(story, serve, connections=4, reserved=1)


def test_a_call_that_finds_no_connection_in_time_was_not_sent() -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        held = await post(upstream)
        with pytest.raises(NotSent, match="was free"):
            await post(upstream)
        held.abort()
        await (await post(upstream)).read(100)
        assert upstream.in_use == 0

    meet(story, answers(STREAM + chunk(b"a")), answers(OK), connections=2, reserved=1, pool_s=0.05)


def test_the_reserve_is_for_protected_calls_alone() -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        held = [await post(upstream), await post(upstream)]
        with pytest.raises(NotSent):
            await post(upstream)
        protected = [await post(upstream, protected=True), await post(upstream, protected=True)]
        with pytest.raises(NotSent):
            await post(upstream, protected=True)
        assert upstream.in_use == 4
        for answer in (*held, *protected):
            answer.abort()
        assert upstream.in_use == 0

    meet(story, answers(STREAM + chunk(b"a")), connections=4, reserved=2, pool_s=0.05)


def test_a_protected_call_is_served_before_others_that_waited_longer() -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        held = [await post(upstream), await post(upstream, protected=True)]
        order: list[str] = []

        async def wait(name: str, protected: bool) -> None:
            answer = await post(upstream, protected=protected)
            order.append(name)
            answer.abort()

        waiting = [asyncio.ensure_future(wait("other", False))]
        await asyncio.sleep(0)
        waiting.append(asyncio.ensure_future(wait("protected", True)))
        await asyncio.sleep(0)
        for answer in held:
            answer.abort()
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)
        assert sorted(order) == ["other", "protected"]
        assert upstream.in_use == 0

    meet(story, answers(STREAM + chunk(b"a")), connections=2, reserved=1)


def test_whoever_gives_up_waiting_leaves_no_hole_behind() -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        held = await post(upstream)
        waiting = [asyncio.ensure_future(post(upstream)) for _ in range(3)]
        await asyncio.sleep(0.01)
        waiting[0].cancel()
        held.abort()  # the room goes to the second in the queue ...
        waiting[1].cancel()  # ... who leaves before taking it
        answer = await waiting[2]
        answer.abort()
        assert upstream.in_use == 0

    meet(story, answers(STREAM + chunk(b"a")), connections=2, reserved=1)


# What can go wrong after.


@pytest.mark.parametrize("then", ["hang up", "reset"])
@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
        STREAM,
        STREAM + chunk(b"ok"),
        STREAM + chunk(b"ok") + b"0\r\n",
        STREAM + b"10\r\nok",
    ],
)
def test_an_answer_that_breaks_off_is_cut_and_never_taken_for_not_sent(said: bytes, then: str) -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        with pytest.raises(Cut):
            await (await post(upstream)).read(100)
        assert upstream.in_use == 0

    meet(story, answers(said, then=then))


def test_a_reset_cuts_even_an_answer_that_ends_with_its_connection() -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        with pytest.raises(Cut):
            await (await post(upstream)).read(100)

    meet(story, answers(b"HTTP/1.1 200 OK\r\n\r\nok", then="reset"))


def test_a_kept_connection_that_dies_under_a_request_is_cut_because_the_request_was_written() -> None:
    async def once(script: Script) -> None:
        await script.request()
        await script.say(OK)
        await script.reader.readexactly(1)
        script.reset()

    async def story(upstream: Upstream, provider: Provider) -> None:
        await (await post(upstream)).read(100)
        with pytest.raises(Cut):
            await post(upstream)
        assert provider.connections == 1

    meet(story, once)


def test_what_came_before_the_cut_is_handed_on_first() -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        heard: list[bytes] = []
        answer = await post(upstream)
        with pytest.raises(Cut):
            await answer.pump(heard.append)
        assert b"".join(heard) == b"data: 1\n\ndata: 2\n\n"
        assert not answer.complete

    meet(story, answers(STREAM + chunk(b"data: 1\n\n"), chunk(b"data: 2\n\n") + b"zz\r\n"))


def test_an_answer_that_does_not_begin_in_time_has_stalled() -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        with pytest.raises(Stalled):
            await post(upstream)
        assert upstream.in_use == 0

    meet(story, answers(b"HTTP/1.1 103 Early Hints\r\n\r\n", b"HTTP/1.1 2"), head_s=0.05)


def test_an_answer_that_stands_still_has_stalled() -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        heard: list[bytes] = []
        answer = await post(upstream)
        with pytest.raises(Stalled):
            await answer.pump(heard.append)
        assert heard == [b"a"]
        assert upstream.in_use == 0

    meet(story, answers(STREAM + chunk(b"a")), idle_s=0.05)


def test_a_slow_answer_that_goes_on_has_not_stalled() -> None:
    async def slow(script: Script) -> None:
        await script.request()
        await script.say(STREAM)
        for _ in range(20):
            await asyncio.sleep(0.01)
            await script.say(chunk(b"a"))
        await script.say(b"0\r\n\r\n")

    async def story(upstream: Upstream, provider: Provider) -> None:
        assert await (await post(upstream)).read(100) == b"a" * 20

    meet(story, slow, idle_s=0.1)


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(300)) + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 400_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 9 + OK,
        STREAM + b"1;" + b"x" * 600_000,
        STREAM + b"0\r\nX: " + b"x" * 600_000,
    ],
)
def test_a_head_or_a_framing_beyond_its_limit_is_cut(said: bytes) -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        with pytest.raises(Cut):
            await (await post(upstream)).read(1_000)
        assert upstream.in_use == 0

    meet(story, answers(said))


def test_small_chunks_alone_are_no_attack() -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        assert await (await post(upstream)).read(1 << 20) == b"a" * 100_000

    meet(story, answers(STREAM + b"1\r\na\r\n" * 100_000 + b"0\r\n\r\n"))


def test_an_answer_larger_than_whoever_reads_it_takes_is_cut() -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        for _ in range(2):
            with pytest.raises(Cut, match="larger"):
                await (await post(upstream)).read(10)

    last = STREAM[:-2] + b"Connection: close\r\n\r\n"
    meet(story, answers(last + chunk(b"x" * 11) + b"0\r\n\r\n"), answers(STREAM + chunk(b"x" * 11)))


# How a body is handed on.


def test_one_read_of_the_connection_is_one_call() -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        heard: list[bytes] = []
        answer = await post(upstream)
        await answer.pump(heard.append)
        assert b"".join(heard) == b"abcdef"
        assert len(heard) <= 2  # six chunks in one or two packets

    meet(story, answers(STREAM + b"".join(chunk(bytes([letter])) for letter in b"abcdef") + b"0\r\n\r\n"))


def test_the_last_call_knows_that_it_is_the_last() -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        heard: list[tuple[bytes, bool]] = []
        answer = await post(upstream)
        await answer.pump(lambda data: heard.append((data, answer.complete)))
        assert heard == [(b"a", False), (b"b", True)]

    async def slow(script: Script) -> None:
        await script.request()
        await script.say(STREAM + chunk(b"a"))
        await asyncio.sleep(0.02)
        await script.say(chunk(b"b") + b"0\r\n\r\n")

    meet(story, slow)


def test_a_feed_that_fails_fails_the_pump_and_closes_the_connection() -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        def feed(data: bytes) -> None:
            raise ZeroDivisionError

        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await (await post(upstream)).pump(feed)
            assert upstream.in_use == 0

    meet(story, answers(STREAM + chunk(b"a")), answers(STREAM, chunk(b"a")))


def test_a_pause_holds_the_provider_back_and_not_our_memory() -> None:
    total = 64 << 20

    async def flood(script: Script) -> None:
        await script.request()
        script.writer.write(STREAM)
        for _ in range(total >> 20):
            script.writer.write(chunk(bytes(1 << 20)))
            await script.writer.drain()
        await script.say(b"0\r\n\r\n")

    async def story(upstream: Upstream, provider: Provider) -> None:
        answer = await post(upstream)
        got = 0

        def feed(data: bytes) -> None:
            nonlocal got
            got += len(data)
            if got < 2 << 20:
                answer.pause()

        pumping = asyncio.ensure_future(answer.pump(feed))
        await until(lambda: got > 0)
        at_pause = got
        await asyncio.sleep(0.05)
        assert got == at_pause
        assert not pumping.done()
        while not pumping.done():
            answer.resume()
            await asyncio.sleep(0.001)
        await pumping
        assert got == total

    meet(story, flood)


def test_a_paused_answer_has_not_stalled() -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        answer = await post(upstream)
        answer.pause()
        reading = asyncio.ensure_future(answer.read(100))
        await asyncio.sleep(0.1)
        assert not reading.done()
        answer.resume()
        assert await reading == b"a" * 6

    async def two(script: Script) -> None:
        await script.request()
        await script.say(STREAM + chunk(b"aaa"), chunk(b"aaa") + b"0\r\n\r\n")
        await script.reader.read()

    meet(story, two, idle_s=0.03)


def test_a_body_that_nobody_asks_for_is_received_only_so_far() -> None:
    async def flood(script: Script) -> None:
        await script.request()
        await script.say(STREAM)
        for _ in range(64):
            script.writer.write(chunk(bytes(1 << 20)))
            await script.writer.drain()

    async def story(upstream: Upstream, provider: Provider) -> None:
        answer = await post(upstream)
        await asyncio.sleep(0.05)
        assert sum(map(len, answer.parts)) < 1 << 20
        answer.abort()
        await until(lambda: provider.open == 0)

    meet(story, flood)


def test_whoever_gives_an_answer_up_cuts_it_for_whoever_reads_it() -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        answer = await post(upstream)
        reading = asyncio.ensure_future(answer.read(100))
        await asyncio.sleep(0.01)
        answer.abort()
        with pytest.raises(Cut, match="given up"):
            await reading
        answer.abort()
        answer.pause()
        answer.resume()
        assert upstream.in_use == 0
        await until(lambda: provider.open == 0)

    meet(story, answers(STREAM + chunk(b"a")))


@pytest.mark.parametrize("said", [b"", STREAM + chunk(b"a")])
def test_a_cancelled_call_lets_its_connection_go(said: bytes) -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        async def whole() -> None:
            await (await post(upstream)).read(100)

        calling = asyncio.ensure_future(whole())
        await until(lambda: provider.open == 1)
        await asyncio.sleep(0.01)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        assert upstream.in_use == 0
        await until(lambda: provider.open == 0)

    meet(story, answers(said))


def test_an_answer_that_is_over_cannot_touch_the_next_one_on_its_connection() -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        first = await post(upstream, b"one")
        assert await first.read(100) == b"one"
        second = await post(upstream, b"two")
        first.abort()
        first.pause()
        assert await second.read(100) == b"two"
        assert provider.connections == 1

    meet(story, serve)


def test_an_answer_before_the_request_was_read_is_taken_and_the_connection_is_not_used_again() -> None:
    async def early(script: Script) -> None:
        await script.reader.readuntil(b"\r\n\r\n")
        await script.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        await asyncio.sleep(30)

    async def story(upstream: Upstream, provider: Provider) -> None:
        answer = await post(upstream, bytes(32 << 20))
        assert (answer.status, await answer.read(10)) == (413, b"no")
        await (await post(upstream)).read(10)
        assert provider.connections == 2

    meet(story, early, answers(OK))


def test_closing_cuts_what_is_under_way_and_refuses_what_comes() -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        answer = await post(upstream)
        reading = asyncio.ensure_future(answer.read(100))
        waiting = asyncio.ensure_future(post(upstream))
        await asyncio.sleep(0.01)
        upstream.close()
        with pytest.raises(Cut):
            await reading
        with pytest.raises(NotSent):
            await waiting
        with pytest.raises(NotSent):
            await post(upstream)

    meet(story, answers(STREAM + chunk(b"a")), connections=2, reserved=1)


def test_hundreds_of_calls_with_every_kind_of_end_leave_nothing_in_use() -> None:
    plays = [
        answers(OK, then="hang up"),
        answers(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", then="reset"),
        answers(STREAM + chunk(b"ok") + b"0\r\n\r\n", then="hang up"),
        answers(b"", then="hang up"),
        serve,
    ]

    async def story(upstream: Upstream, provider: Provider) -> None:
        async def one() -> None:
            try:
                await (await post(upstream)).read(100)
            except Cut:
                return

        await asyncio.gather(*(one() for _ in range(300)))
        assert upstream.in_use == 0

    async def any_of_them(script: Script) -> None:
        number = int.from_bytes(script.writer.get_extra_info("peername")[1].to_bytes(2, "big"), "big")
        await plays[number % len(plays)](script)

    meet(story, any_of_them, connections=10, reserved=2)


# Compression.


def test_an_answer_that_is_compressed_against_our_wish_is_read() -> None:
    text = b"data: hello\n\n" * 1_000

    async def story(upstream: Upstream, provider: Provider) -> None:
        for _ in range(3):
            assert await (await post(upstream)).read(1 << 20) == text

    def said(name: bytes, body: bytes) -> Play:
        head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Encoding: %b\r\n\r\n" % name
        return answers(head, body[:50], body[50:], then="hang up")

    meet(story, said(b"GZIP", gzip.compress(text)), said(b"deflate", zlib.compress(text)), said(b"identity", text))


def test_compressed_events_come_as_soon_as_they_can() -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        heard: list[bytes] = []
        answer = await post(upstream)
        pumping = asyncio.ensure_future(answer.pump(heard.append))
        await until(lambda: heard == [b"data: 1\n\n"])
        pumping.cancel()

    machine = zlib.compressobj(wbits=31)
    begun = machine.compress(b"data: 1\n\n") + machine.flush(zlib.Z_SYNC_FLUSH)
    meet(story, answers(STREAM[:-2] + b"Content-Encoding: gzip\r\n\r\n" + chunk(begun)))


@pytest.mark.parametrize(
    ("name", "body"),
    [
        (b"gzip", gzip.compress(bytes(200 << 20), 9)),
        (b"gzip", gzip.compress(b"hello")[:-1]),
        (b"gzip", gzip.compress(b"hello") + b"more"),
        (b"gzip", gzip.compress(b"hello") * 2),
        (b"gzip", b"hello"),
        (b"deflate", b"hello"),
        (b"gzip, gzip", gzip.compress(gzip.compress(b"hello"))),
        (b"br", b"hello"),
        (b"zstd", b"hello"),
        (b"", b"hello"),
    ],
)
def test_a_bomb_or_a_damaged_or_unknown_compression_is_cut(name: bytes, body: bytes) -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        most = 0

        def feed(data: bytes) -> None:
            nonlocal most
            most += len(data)

        with pytest.raises(Cut):
            await (await post(upstream)).pump(feed)
        assert most < 32 << 20
        assert upstream.in_use == 0

    meet(story, answers(b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (name, len(body)) + body))


@given(st.binary(max_size=3_000), st.lists(st.integers(1, 50), max_size=10))
def test_what_is_inflated_does_not_depend_on_how_it_was_split(data: bytes, cuts: list[int]) -> None:
    heard: list[bytes] = []
    machine = inflater(b"gzip", heard.append)
    rest = gzip.compress(data)
    for cut in cuts:
        machine.feed(rest[:cut])
        rest = rest[cut:]
    if rest:
        machine.feed(rest)
    machine.end()
    assert b"".join(heard) == data


@given(st.binary(min_size=1, max_size=200))
def test_no_bytes_at_all_can_make_inflating_do_anything_else_than_succeed_or_say_damaged(data: bytes) -> None:
    heard: list[bytes] = []
    machine = inflater(b"gzip", heard.append)
    try:
        machine.feed(gzip.compress(b"x" * 50)[:12] + data)
        machine.end()
    except Damaged:
        pass
    assert sum(map(len, heard)) < 1 << 21


# TLS.


def test_a_provider_is_called_over_tls_by_the_name_in_its_certificate(tmp_path: Path) -> None:
    async def story() -> None:
        server, client = certificate(tmp_path)
        names: list[str | None] = []
        server.sni_callback = lambda _, name, __: names.append(name)
        listening = await asyncio.start_server(_one_answer, "127.0.0.1", 0, ssl=server)
        port = listening.sockets[0].getsockname()[1]
        upstream = Upstream(Origin("localhost", port, tls=client))
        for body in (b"{}", bytes(300_000)):
            assert await (await post(upstream, body)).read(100) == b"ok"
        assert names == ["localhost"]
        upstream.close()
        listening.close()

    run(story())


async def _one_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    script = Script(reader, writer)
    try:
        while True:
            await script.request()
            await script.say(OK)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


@pytest.mark.parametrize("name", ["127.0.0.2", "stranger"])
def test_a_certificate_that_does_not_fit_means_not_sent(tmp_path: Path, name: str) -> None:
    async def story() -> None:
        server, client = certificate(tmp_path)
        if name == "stranger":
            client = ssl.create_default_context()  # knows other authorities than the one that signed
        heard: list[bytes] = []

        async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.append(await reader.read())
            writer.close()

        listening = await asyncio.start_server(note, "0.0.0.0", 0, ssl=server)
        port = listening.sockets[0].getsockname()[1]
        upstream = Upstream(Origin("127.0.0.1" if name == "stranger" else name, port, tls=client))
        with pytest.raises(NotSent, match=r"(?i)certificate"):
            await post(upstream)
        assert (heard, upstream.in_use) in (([], 0), ([b""], 0))
        listening.close()

    run(story())


def test_a_handshake_that_stands_still_means_not_sent(tmp_path: Path) -> None:
    async def story() -> None:
        _, client = certificate(tmp_path)
        provider = Provider(answers(b""))
        upstream = Upstream(Origin("127.0.0.1", await provider.listen(), tls=client, connect_s=0.1))
        with pytest.raises(NotSent):
            await post(upstream)
        assert upstream.in_use == 0

    run(story())
