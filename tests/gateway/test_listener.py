from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.gateway.dialogue import PLAIN, QUICK, NotingDoor, call, open_door, run, until

from headgate.gateway.listener import Answer, Head, Limits, Listeners, Whole
from headgate.refusal import Reason

GET = b"GET /v1/models HTTP/1.1\r\nHost: gate\r\n\r\n"
LAST = b"GET /v1/models HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n"


def post(body: bytes, *lines: bytes) -> bytes:
    return b"\r\n".join((b"POST /v1/responses HTTP/1.1", b"Host: gate", b"Content-Length: %d" % len(body), *lines, b"", body))


def body_of(heard: bytes) -> bytes:
    return heard.partition(b"\r\n\r\n")[2]


class Held:
    """A door that keeps its answers until the test gives them."""

    def __init__(self, door: NotingDoor) -> None:
        self.answers: list[Answer] = []
        self.gone = 0
        door.serving = self.hold

    def hold(self, head: Head, body: bytes, answer: Answer) -> None:
        self.answers.append(answer)
        answer.on_gone(self.count)

    def count(self) -> None:
        self.gone += 1


def test_a_request_is_admitted_served_and_answered() -> None:
    async def story() -> None:
        door = NotingDoor()
        listeners, port = await open_door(door)
        caller = await call(port)
        await caller.say(post(b"hello"))
        heard = await caller.hear(b"served hello")
        assert heard.startswith(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 12\r\ndate: ")
        assert b"connection:" not in heard
        assert door.served == [("POST", "/v1/responses", b"hello")]
        assert door.admitted[0].peer == "127.0.0.1"
        listeners.close()

    run(story())


def test_a_connection_serves_one_request_after_the_other() -> None:
    async def story() -> None:
        door = NotingDoor()
        listeners, port = await open_door(door)
        caller = await call(port)
        for number in range(5):
            await caller.say(post(b"%d" % number))
            await caller.hear(b"served %d" % number)
        assert len(door.served) == 5
        assert listeners.connections == 1
        listeners.close()

    run(story())


def test_the_second_request_of_a_pipeline_waits_for_the_answer_to_the_first() -> None:
    async def story() -> None:
        door = NotingDoor()
        held = Held(door)
        listeners, port = await open_door(door)
        caller = await call(port)
        await caller.say(post(b"one") + post(b"two") + post(b"three")[:-2], b"ee")
        await until(lambda: len(held.answers) == 1)
        await asyncio.sleep(0.01)
        assert [body for _, _, body in door.served] == [b"one"]
        assert len(door.admitted) == 1
        held.answers[0].send(200, PLAIN, b"first")
        await caller.hear(b"first")
        await until(lambda: len(held.answers) == 2)
        held.answers[1].send(200, PLAIN, b"second")
        await caller.hear(b"second")
        await until(lambda: len(held.answers) == 3)
        assert [body for _, _, body in door.served] == [b"one", b"two", b"three"]
        listeners.close()

    run(story())


def test_a_pipeline_that_grows_is_held_back_and_served_in_the_end() -> None:
    async def story() -> None:
        door = NotingDoor()
        held = Held(door)
        listeners, port = await open_door(door, msgspec.structs.replace(QUICK, surplus=2_000))
        caller = await call(port)
        total = 40_000
        caller.writer.write(GET * total)
        await until(lambda: len(held.answers) == 1)
        await asyncio.sleep(0.05)
        (connection,) = listeners._house.connections
        assert not connection.reading
        assert len(connection.buffer) < 600_000 < len(GET) * total
        door.serving = lambda head, body, answer: answer.send(204, b"", b"")
        held.answers[0].send(204, b"", b"")
        heard = 0
        while heard < total:
            heard += (await caller.reader.read(1 << 20)).count(b"HTTP/1.1 204")
        assert len(door.served) == total
        listeners.close()

    run(story())


def test_the_last_request_of_a_client_closes_the_connection() -> None:
    async def story() -> None:
        door = NotingDoor()
        listeners, port = await open_door(door)
        for line in (LAST, b"GET / HTTP/1.0\r\nHost: gate\r\n\r\n"):
            caller = await call(port)
            await caller.say(line + GET)
            heard = await caller.hear_all()
            assert b"\r\nconnection: close\r\n" in heard
            assert heard.count(b"HTTP/1.1 200 OK") == 1
        assert len(door.served) == 2
        listeners.close()

    run(story())


def test_head_is_answered_without_a_body_and_with_its_length() -> None:
    async def story() -> None:
        door = NotingDoor()
        listeners, port = await open_door(door)
        caller = await call(port)
        await caller.say(b"HEAD /v1/models HTTP/1.1\r\nHost: gate\r\n\r\n" + LAST)
        heard = await caller.hear_all()
        first, _, rest = heard.partition(b"\r\n\r\n")
        assert b"content-length: 7\r\n" in first
        assert rest.startswith(b"HTTP/1.1 200 OK")
        listeners.close()

    run(story())


def test_a_stream_is_chunked_and_its_head_leaves_with_its_first_bytes() -> None:
    async def story() -> None:
        door = NotingDoor()
        held = Held(door)
        listeners, port = await open_door(door)
        caller = await call(port)
        await caller.say(GET + LAST)
        await until(lambda: bool(held.answers))
        answer = held.answers[0]
        assert not answer.started
        answer.start(200, b"content-type: text/event-stream\r\n")
        assert answer.started
        await caller.hear(b"transfer-encoding: chunked\r\n")  # no byte of the body was needed for that
        answer.write(b"data: 1\n\n")
        assert (await caller.hear(b"data: 1\n\n\r\n")).endswith(b"\r\n\r\n9\r\ndata: 1\n\n\r\n")
        answer.write(b"")  # an empty chunk would end the stream
        answer.write(b"data: 2\n\n", more=True)
        answer.finish()
        assert await caller.hear(b"0\r\n\r\n") == b"9\r\ndata: 2\n\n\r\n0\r\n\r\n"
        await until(lambda: len(held.answers) == 2)
        held.answers[1].send(200, b"", b"ok")
        assert body_of(await caller.hear_all()) == b"ok"
        listeners.close()

    run(story())


def test_bytes_that_were_to_go_with_more_go_alone_when_nothing_more_comes() -> None:
    async def story() -> None:
        door = NotingDoor()
        held = Held(door)
        listeners, port = await open_door(door)
        caller = await call(port)
        await caller.say(GET)
        await until(lambda: bool(held.answers))
        held.answers[0].start(200, b"")
        held.answers[0].write(b"alone", more=True)
        await caller.hear(b"5\r\nalone\r\n")
        listeners.close()

    run(story())


def test_a_stream_for_http_1_0_ends_with_its_connection() -> None:
    async def story() -> None:
        door = NotingDoor()
        held = Held(door)
        listeners, port = await open_door(door)
        caller = await call(port)
        await caller.say(b"GET / HTTP/1.0\r\nHost: gate\r\n\r\n")
        await until(lambda: bool(held.answers))
        held.answers[0].start(200, b"")
        held.answers[0].write(b"data: 1\n\n")
        held.answers[0].finish()
        heard = await caller.hear_all()
        assert b"transfer-encoding" not in heard
        assert body_of(heard) == b"data: 1\n\n"
        listeners.close()

    run(story())


def test_an_aborted_stream_does_not_look_complete() -> None:
    async def story() -> None:
        for version in (b"1.1", b"1.0"):
            door = NotingDoor()
            held = Held(door)
            listeners, port = await open_door(door)
            caller = await call(port)
            await caller.say(b"GET / HTTP/%b\r\nHost: gate\r\n\r\n" % version)
            await until(lambda held=held: bool(held.answers))
            held.answers[0].start(200, b"")
            held.answers[0].write(b"data: 1\n\n")
            await caller.hear(b"data: 1\n\n")
            held.answers[0].abort()
            rest = await caller.hear_all()
            assert rest == (b"\r\n" if version == b"1.1" else b"<reset>")
            assert held.gone == 0  # whoever gives an answer up knows it
            held.answers[0].write(b"never")
            held.answers[0].finish()
            listeners.close()

    run(story())


def test_an_answer_aborted_before_it_began_tears_the_connection() -> None:
    async def story() -> None:
        door = NotingDoor()
        held = Held(door)
        listeners, port = await open_door(door)
        caller = await call(port)
        await caller.say(GET)
        await until(lambda: bool(held.answers))
        held.answers[0].abort()
        assert await caller.hear_all() == b"<reset>"
        listeners.close()

    run(story())


def test_an_answer_that_is_over_can_no_longer_touch_the_next_one() -> None:
    async def story() -> None:
        door = NotingDoor()
        held = Held(door)
        listeners, port = await open_door(door)
        caller = await call(port)
        await caller.say(GET + LAST)
        await until(lambda: bool(held.answers))
        first = held.answers[0]
        first.send(200, b"", b"one")
        await until(lambda: len(held.answers) == 2)
        first.write(b"late")
        first.finish()
        first.abort()
        assert not first.paused
        held.answers[1].send(200, b"", b"two")
        heard = await caller.hear_all()
        assert heard.count(b"HTTP/1.1 200 OK") == 2
        assert b"late" not in heard
        listeners.close()

    run(story())


# Bodies.


def test_a_client_that_waits_is_told_to_continue_only_after_admission() -> None:
    async def story() -> None:
        door = NotingDoor(body_limit=10)
        door.whole["/no"] = Whole(401, PLAIN, b"no key")
        listeners, port = await open_door(door)
        caller = await call(port)
        await caller.say(post(b"hello", b"Expect: 100-continue")[:-5])
        assert await caller.hear(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert door.served == []
        await caller.say(b"hello")
        await caller.hear(b"served hello")
        await caller.say(post(b"hello world", b"Expect: 100-continue")[:-11])  # too large: said before a byte of it is sent
        heard = await caller.hear_all()
        assert heard.startswith(b"HTTP/1.1 413 ")
        caller = await call(port)
        await caller.say(post(b"hello", b"Expect: 100-continue")[:-5].replace(b"/v1/responses", b"/no"))
        heard = await caller.hear_all()
        assert heard.startswith(b"HTTP/1.1 401 ")
        assert len(door.served) == 1
        listeners.close()

    run(story())


def test_a_body_that_is_already_there_is_not_asked_for() -> None:
    async def story() -> None:
        listeners, port = await open_door(NotingDoor())
        caller = await call(port)
        await caller.say(post(b"hello", b"Expect: 100-continue", b"Connection: close"))
        assert b"100 Continue" not in await caller.hear_all()
        listeners.close()

    run(story())


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_beyond_its_limit_is_refused_before_it_has_arrived(chunked: bool) -> None:
    async def story() -> None:
        door = NotingDoor(body_limit=1_000)
        listeners, port = await open_door(door)
        caller = await call(port)
        if chunked:
            await caller.say(b"POST / HTTP/1.1\r\nHost: gate\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" + b"x" * 1_000 + b"\r\n1\r\n")
        else:
            await caller.say(b"POST / HTTP/1.1\r\nHost: gate\r\nContent-Length: 1001\r\n\r\n")
        heard = await caller.hear_all()
        assert heard.startswith(b"HTTP/1.1 413 ")
        assert (door.served, door.refused) == ([], [Reason.BODY_TOO_LARGE])
        listeners.close()

    run(story())


def test_a_client_that_sends_all_of_a_body_that_is_too_large_still_hears_why() -> None:
    async def story() -> None:
        door = NotingDoor(body_limit=1 << 20)
        listeners, port = await open_door(door)
        caller = await call(port)
        await caller.say(b"POST / HTTP/1.1\r\nHost: gate\r\nContent-Length: %d\r\n\r\n" % (33 << 20))
        for _ in range(33):
            caller.writer.write(bytes(1 << 20))
            await caller.writer.drain()
        heard = await caller.hear_all()
        assert heard.startswith(b"HTTP/1.1 413 ")
        assert heard.endswith(b"refused body_too_large")
        caller.hang_up()
        await until(lambda: listeners.connections == 0)
        listeners.close()

    run(story())


def test_a_body_comes_together_from_many_pieces() -> None:
    async def story() -> None:
        door = NotingDoor()
        listeners, port = await open_door(door)
        body = bytes(range(256)) * 40
        caller = await call(port)
        message = post(body, b"Connection: close")
        await caller.say(*(message[at : at + 700] for at in range(0, len(message), 700)))
        await caller.hear_all()
        caller = await call(port)
        message = b"POST / HTTP/1.1\r\nHost: gate\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        message += (
            b"".join(b"%x\r\n%b\r\n" % (len(body[at : at + 999]), body[at : at + 999]) for at in range(0, len(body), 999)) + b"0\r\n\r\n"
        )
        await caller.say(*(message[at : at + 700] for at in range(0, len(message), 700)))
        await caller.hear_all()
        assert [served for _, _, served in door.served] == [body, body]
        listeners.close()

    run(story())


def test_an_answer_from_the_head_alone_keeps_the_connection_only_if_the_body_is_here() -> None:
    async def story() -> None:
        door = NotingDoor()
        door.whole["/v1/responses"] = Whole(401, PLAIN, b"no key")
        listeners, port = await open_door(door)
        caller = await call(port)
        await caller.say(post(b"small") + LAST)
        heard = await caller.hear_all()
        assert heard.startswith(b"HTTP/1.1 401 ")
        assert heard.endswith(b"served ")
        caller = await call(port)
        await caller.say(post(b"s" * 100_000)[:300])
        await caller.hear(b"no key")
        await caller.say(b"s" * 50_000)  # it goes on sending, hears no reset, and is let go
        assert b"<reset>" not in await caller.hear_all()
        assert door.served == [("GET", "/v1/models", b"")]
        listeners.close()

    run(story())


# Who goes.


@pytest.mark.parametrize("how", ["close", "reset", "half-close"])
def test_a_client_that_goes_while_its_answer_is_made_is_noticed(how: str) -> None:
    async def story() -> None:
        door = NotingDoor()
        held = Held(door)
        listeners, port = await open_door(door)
        caller = await call(port)
        await caller.say(GET)
        await until(lambda: bool(held.answers))
        {"close": caller.hang_up, "reset": caller.reset, "half-close": caller.finish}[how]()
        await until(lambda: held.gone == 1)
        answer = held.answers[0]
        assert answer.gone
        called: list[bool] = []
        answer.on_gone(lambda: called.append(True))
        assert called == [True]  # who asks late is told at once
        answer.send(200, PLAIN, b"late")
        if how == "half-close":
            assert (await caller.hear_all()).endswith(b"late")  # it could still listen
        await until(lambda: listeners.connections == 0)
        assert held.gone == 1
        listeners.close()

    run(story())


def test_a_client_that_goes_in_the_middle_of_a_stream_is_noticed_and_writing_goes_on_harmlessly() -> None:
    async def story() -> None:
        door = NotingDoor()
        held = Held(door)
        listeners, port = await open_door(door)
        caller = await call(port)
        await caller.say(GET)
        await until(lambda: bool(held.answers))
        answer = held.answers[0]
        answer.start(200, b"")
        answer.write(b"data: 1\n\n")
        await caller.hear(b"data: 1\n\n")
        caller.reset()
        await until(lambda: held.gone == 1)
        for _ in range(10):
            answer.write(b"data: 2\n\n")
        answer.finish()
        assert listeners.connections == 0
        listeners.close()

    run(story())


@pytest.mark.parametrize(
    "begun",
    [post(b"hello")[:-1], post(b"hello")[:20], b"POST / HTTP/1.1\r\nHost: gate\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"],
)
def test_a_message_that_ends_too_early_is_never_served(begun: bytes) -> None:
    async def story() -> None:
        door = NotingDoor()
        listeners, port = await open_door(door)
        caller = await call(port)
        await caller.say(begun)
        caller.finish()
        assert (await caller.hear_all()).startswith(b"HTTP/1.1 400 ")
        assert door.served == []
        listeners.close()

    run(story())


def test_a_client_that_leaves_between_requests_is_let_go_without_a_word() -> None:
    async def story() -> None:
        door = NotingDoor()
        listeners, port = await open_door(door)
        caller = await call(port)
        caller.finish()
        assert await caller.hear_all() == b""
        assert door.refused == []
        await until(lambda: listeners.connections == 0)
        listeners.close()

    run(story())


# Who reads slowly.


def test_a_client_that_does_not_read_holds_back_the_writer_and_not_our_memory() -> None:
    async def story() -> None:
        door = NotingDoor()
        held = Held(door)
        listeners, port = await open_door(door)
        caller = await call(port, buffer=4_096)
        await caller.say(GET)
        await until(lambda: bool(held.answers))
        answer = held.answers[0]
        resumed: list[bool] = []
        answer.on_resume(lambda: resumed.append(True))
        answer.start(200, b"")
        event = b"data: " + b"x" * 8_000 + b"\n\n"
        written = 0
        while not answer.paused:
            answer.write(event)
            written += 1
            await asyncio.sleep(0)
        (connection,) = listeners._house.connections
        assert connection.transport.get_write_buffer_size() <= QUICK.write_buffer + len(event) + 20
        assert resumed == []
        sink = asyncio.ensure_future(_swallow(caller.reader))
        await until(lambda: bool(resumed))
        assert not answer.paused
        answer.finish()
        sink.cancel()
        listeners.close()

    run(story())


async def _swallow(reader: asyncio.StreamReader) -> None:
    while await reader.read(1 << 16):
        pass


def test_a_writer_that_ignores_back_pressure_is_cut_off_before_it_fills_the_memory() -> None:
    async def story() -> None:
        door = NotingDoor()
        held = Held(door)
        listeners, port = await open_door(door, msgspec.structs.replace(QUICK, unread_bytes=200_000))
        caller = await call(port, buffer=4_096)
        await caller.say(GET)
        await until(lambda: bool(held.answers))
        answer = held.answers[0]
        answer.start(200, b"")
        for _ in range(10_000):
            answer.write(b"x" * 10_000)
            if answer.gone:
                break
            await asyncio.sleep(0)
        assert held.gone == 1
        await until(lambda: listeners.connections == 0)
        listeners.close()

    run(story())


def test_a_large_answer_goes_out_whole_to_whoever_reads_it() -> None:
    async def story() -> None:
        door = NotingDoor()
        body = bytes(range(256)) * 60_000
        door.serving = lambda head, _, answer: answer.send(200, b"", body)
        listeners, port = await open_door(door, msgspec.structs.replace(QUICK, unread_bytes=100_000))
        caller = await call(port)
        await caller.say(LAST)
        assert body_of(await caller.hear_all()) == body
        listeners.close()

    run(story())


# Time.


def test_a_client_that_never_ends_its_head_is_refused() -> None:
    async def story() -> None:
        door = NotingDoor()
        listeners, port = await open_door(door, msgspec.structs.replace(QUICK, head_s=0.05))
        caller = await call(port)
        await caller.say(b"GET / HTTP/1.1\r\nHost: gate\r\nX: ")
        assert (await caller.hear_all()).startswith(b"HTTP/1.1 408 ")
        assert door.refused == [Reason.BODY_TOO_SLOW]
        listeners.close()

    run(story())


def test_a_head_that_drips_gains_no_time_by_its_drops() -> None:
    async def story() -> None:
        door = NotingDoor()
        listeners, port = await open_door(door, msgspec.structs.replace(QUICK, head_s=0.05))
        caller = await call(port)
        await caller.say(b"GET / HTTP/1.1\r\nHost: gate\r\nX: ")
        heard = asyncio.ensure_future(caller.hear_all())
        while not heard.done():
            caller.writer.write(b"x")
            await asyncio.sleep(0.005)
        assert b"HTTP/1.1 408 " in heard.result()
        listeners.close()

    run(story())


def test_a_body_slower_than_the_least_rate_is_refused_however_fast_it_began() -> None:
    async def story() -> None:
        door = NotingDoor()
        listeners, port = await open_door(door, msgspec.structs.replace(QUICK, body_grace_s=0.05, body_bytes_per_s=10_000))
        caller = await call(port)
        await caller.say(post(b"x" * 200_000)[:-1_000])
        heard = asyncio.ensure_future(caller.hear_all())
        while not heard.done():
            caller.writer.write(b"x")
            await asyncio.sleep(0.005)
        assert b"HTTP/1.1 408 " in heard.result()
        assert (door.served, door.refused) == ([], [Reason.BODY_TOO_SLOW])
        listeners.close()

    run(story())


def test_a_connection_on_which_nothing_is_asked_is_closed() -> None:
    async def story() -> None:
        listeners, port = await open_door(NotingDoor(), msgspec.structs.replace(QUICK, idle_s=0.05))
        silent, served = await call(port), await call(port)
        await served.say(GET)
        assert await silent.hear_all() == b""
        assert (await served.hear_all()).endswith(b"served ")
        listeners.close()

    run(story())


def test_a_client_that_stops_reading_altogether_is_torn_off() -> None:
    async def story() -> None:
        door = NotingDoor()
        held = Held(door)
        listeners, port = await open_door(door, msgspec.structs.replace(QUICK, write_stall_s=0.1))
        caller = await call(port, buffer=4_096)
        await caller.say(GET)
        await until(lambda: bool(held.answers))
        held.answers[0].start(200, b"")
        while not held.answers[0].paused:
            held.answers[0].write(b"x" * 10_000)
            await asyncio.sleep(0)
        await until(lambda: held.gone == 1)
        await until(lambda: listeners.connections == 0)
        listeners.close()

    run(story())


def test_a_client_that_stops_reading_after_its_answer_was_given_is_torn_off_too() -> None:
    async def story() -> None:
        door = NotingDoor()
        door.serving = lambda head, body, answer: answer.send(200, b"", bytes(8 << 20))
        listeners, port = await open_door(door, msgspec.structs.replace(QUICK, write_stall_s=0.1))
        caller = await call(port, buffer=4_096)
        await caller.say(LAST)
        await until(lambda: len(door.served) == 1)
        await until(lambda: listeners.connections == 0)
        listeners.close()

    run(story())


def test_a_refused_client_that_never_closes_is_closed() -> None:
    async def story() -> None:
        listeners, port = await open_door(NotingDoor(), msgspec.structs.replace(QUICK, linger_s=0.05))
        caller = await call(port)
        await caller.say(b"nonsense\r\n\r\n")
        await until(lambda: listeners.connections == 0)
        listeners.close()

    run(story())


# How many, and how they are let go.


def test_more_connections_than_the_limit_are_told_so_and_a_flood_is_dropped() -> None:
    async def story() -> None:
        door = NotingDoor()
        listeners, port = await open_door(door, msgspec.structs.replace(QUICK, connections=2))
        first, second = await call(port), await call(port)
        await until(lambda: listeners.connections == 2)
        third = await call(port)
        assert (await third.hear_all()).startswith(b"HTTP/1.1 503 ")
        others = [await call(port) for _ in range(8)]
        await until(lambda: listeners.connections <= 4)
        for caller in (first, second):
            await caller.say(LAST)
            assert b"served" in await caller.hear_all()
        for caller in (third, *others):
            caller.hang_up()
        await until(lambda: listeners.connections == 0)
        again = await call(port)
        await again.say(LAST)
        assert b"served" in await again.hear_all()
        listeners.close()

    run(story())


def test_draining_lets_open_calls_finish_and_idle_ones_go() -> None:
    async def story() -> None:
        door = NotingDoor()
        held = Held(door)
        listeners, port = await open_door(door)
        busy, idle, begun = await call(port), await call(port), await call(port)
        await busy.say(GET)
        await begun.say(GET[:20])
        await until(lambda: len(held.answers) == 1 and listeners.connections == 3)
        listeners.drain()
        assert await idle.hear_all() == b""
        assert not await listeners.drained(0.02)
        with pytest.raises(ConnectionError):
            await call(port)
        held.answers[0].send(200, b"", b"done")
        heard = await busy.hear_all()
        assert b"\r\nconnection: close\r\n" in heard
        assert heard.endswith(b"done")
        await begun.say(GET[20:])
        await until(lambda: len(held.answers) == 2)
        held.answers[1].send(200, b"", b"done")
        assert b"\r\nconnection: close\r\n" in await begun.hear_all()
        assert await listeners.drained(5)
        listeners.close()

    run(story())


def test_closing_ends_everything_and_tells_whoever_was_answering() -> None:
    async def story() -> None:
        door = NotingDoor()
        held = Held(door)
        listeners, port = await open_door(door)
        caller = await call(port)
        await caller.say(GET)
        await until(lambda: len(held.answers) == 1)
        listeners.close()
        assert held.gone == 1
        assert await caller.hear_all() == b"<reset>"

    run(story())


def certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's and a client's side of TLS for this machine."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(start).not_valid_after(start + datetime.timedelta(days=36_500)).add_extension(names, critical=False)
    pem = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "cert.pem").write_bytes(pem)
    (folder / "key.pem").write_bytes(key.private_bytes(*form))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return server, ssl.create_default_context(cafile=str(folder / "cert.pem"))


def test_the_same_is_served_over_tls(tmp_path: Path) -> None:
    async def story() -> None:
        server, client = certificate(tmp_path)
        door = NotingDoor()
        listeners = Listeners(door, QUICK)
        port = await listeners.listen("127.0.0.1", 0, tls=server)
        for message, status in ((post(b"x" * 100_000), b"200"), (b"nonsense\r\n\r\n", b"400")):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
            writer.write(message)
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 " + status)
            writer.close()
        await until(lambda: listeners.connections == 0)
        assert len(door.served) == 1
        listeners.close()

    run(story())


def test_the_limits_are_those_of_the_design() -> None:
    limits = Limits()
    assert (limits.head_s, limits.body_bytes_per_s, limits.write_stall_s, limits.idle_s) == (10, 1024, 60, 75)
