from __future__ import annotations

import asyncio

import msgspec
import pytest
from tests.gateway.dialogue import GET, LAST, PLAIN, QUICK, Held, NotingDoor, call, open_door, post, run, until

from headgate.gateway.listener import Answer, Head, Whole
from headgate.refusal import Reason


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
        (connection,) = listeners._lobby.connections
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


def test_a_body_that_has_begun_to_arrive_is_not_asked_for() -> None:
    async def story() -> None:
        listeners, port = await open_door(NotingDoor())
        message = post(b"hello", b"Expect: 100-continue", b"Connection: close")
        for pieces in ((message,), (message[:-2], message[-2:])):
            caller = await call(port)
            await caller.say(*pieces)
            heard = await caller.hear_all()
            assert b"100 Continue" not in heard
            assert heard.endswith(b"served hello")
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
        for begun in (300, -100_000):
            caller = await call(port)
            await caller.say(post(b"s" * 100_000)[:begun])
            await caller.hear(b"no key")
            await caller.say(*[b"s" * 10_000] * 5)  # it goes on sending, hears no reset, and is let go
            assert b"<reset>" not in await caller.hear_all()
        assert door.served == [("GET", "/v1/models", b"")]
        listeners.close()

    run(story())


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
        (connection,) = listeners._lobby.connections
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


def test_a_request_that_comes_while_another_is_answered_waits_its_turn() -> None:
    async def story() -> None:
        door = NotingDoor()
        held = Held(door)
        listeners, port = await open_door(door)
        caller = await call(port)
        await caller.say(GET)
        await until(lambda: len(held.answers) == 1)
        await caller.say(post(b"two")[:30], post(b"two")[30:])
        assert len(door.admitted) == 1
        held.answers[0].send(200, PLAIN, b"first")
        await until(lambda: len(held.answers) == 2)
        held.answers[1].send(200, PLAIN, b"second")
        await caller.hear(b"second")
        assert [body for _, _, body in door.served] == [b"", b"two"]
        listeners.close()

    run(story())


def test_a_body_in_hundreds_of_pieces_and_the_request_behind_it_are_told_apart() -> None:
    async def story() -> None:
        door = NotingDoor()
        listeners, port = await open_door(door)
        body = bytes(range(200)) * 10
        pieces = [body[at : at + 4] for at in range(0, len(body), 4)]
        caller = await call(port)
        await caller.say(post(body).removesuffix(body), *pieces[:-1], pieces[-1] + LAST)
        await caller.hear_all()
        assert door.served == [("POST", "/v1/responses", body), ("GET", "/v1/models", b"")]
        listeners.close()

    run(story())


def test_a_pipeline_of_a_client_that_closed_its_side_is_still_served_to_its_end() -> None:
    async def story() -> None:
        door = NotingDoor()
        held = Held(door)
        listeners, port = await open_door(door)
        caller = await call(port)
        await caller.say(GET + GET + GET[:10])
        caller.finish()
        await until(lambda: held.gone == 1)
        held.answers[0].send(200, PLAIN, b"first")
        await until(lambda: len(held.answers) == 2)
        assert held.answers[1].gone  # it was gone before it was served
        held.answers[1].send(200, PLAIN, b"second")
        heard = await caller.hear_all()
        assert [heard.count(b"HTTP/1.1 %d " % status) for status in (200, 400)] == [2, 1]
        listeners.close()

    run(story())


def test_a_fault_in_the_next_request_is_no_business_of_whoever_answered_this_one() -> None:
    async def story() -> None:
        door = NotingDoor()
        held = Held(door)
        listeners, port = await open_door(door)
        caller = await call(port)
        await caller.say(GET + GET)
        await until(lambda: len(held.answers) == 1)
        faults: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context.get("exception")))

        def fail(head: Head, body: bytes, answer: Answer) -> None:
            raise ZeroDivisionError

        door.serving = fail
        held.answers[0].send(200, PLAIN, b"first")
        assert b"first" in await caller.hear_all()
        assert [type(fault) for fault in faults] == [ZeroDivisionError]
        await until(lambda: listeners.connections == 0)
        listeners.close()

    run(story())
