from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

import pytest
from tests.gateway.dialogue import certificate, run, until
from tests.gateway.provider import OK, STREAM, Provider, Script, answers, chunk, meet, post, serve

from headgate.gateway.upstream import Cut, NotSent, Origin, Upstream, Withdrawn


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


def test_closing_ends_calls_that_wait_and_calls_that_connect() -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        connecting = asyncio.ensure_future(post(upstream))
        waiting = asyncio.ensure_future(post(upstream))
        await asyncio.sleep(0)
        upstream.close()
        for calling in (connecting, waiting):
            with pytest.raises(NotSent, match="stopping"):
                await calling
        assert upstream.in_use == 0

    meet(story, answers(OK), connections=2, reserved=1)


@pytest.mark.parametrize("until_it", ["waits for room", "connects", "waits for an answer"])
def test_a_cancelled_call_knows_whether_a_byte_of_it_had_left(until_it: str) -> None:
    async def story(upstream: Upstream, provider: Provider) -> None:
        held = [asyncio.ensure_future(post(upstream))] if until_it == "waits for room" else []
        calling = asyncio.ensure_future(post(upstream))
        await asyncio.sleep(0)
        if until_it == "waits for an answer":
            await until(lambda: provider.open == 1)
            await asyncio.sleep(0.01)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError) as cancelled:
            await calling
        assert isinstance(cancelled.value, Withdrawn) == (until_it != "waits for an answer")
        for other in held:
            other.cancel()
        await asyncio.gather(*held, return_exceptions=True)
        assert upstream.in_use == 0

    meet(story, answers(b""), connections=2, reserved=1)
