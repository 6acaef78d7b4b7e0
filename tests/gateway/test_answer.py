from __future__ import annotations

import msgspec
from tests.gateway.dialogue import GET, LAST, QUICK, Held, NotingDoor, body_of, call, open_door, run, until


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
