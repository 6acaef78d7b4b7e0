from __future__ import annotations

import asyncio

import pytest
from tests.gateway.dialogue import until
from tests.gateway.provider import OK, STREAM, Provider, Script, answers, chunk, meet, post, serve

from headgate.gateway.upstream import Cut, Stalled, Upstream


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
