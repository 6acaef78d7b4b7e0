from __future__ import annotations

import asyncio
import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.dialogue import until
from tests.gateway.provider import STREAM, Play, Provider, answers, chunk, meet, post

from headgate.gateway.inflate import Damaged, inflater
from headgate.gateway.upstream import Cut, Upstream


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
        (b"gzip", gzip.compress(bytes(200 << 20), 9, mtime=0)),
        (b"gzip", gzip.compress(b"hello", mtime=0)[:-1]),
        (b"gzip", gzip.compress(b"hello", mtime=0) + b"more"),
        (b"gzip", gzip.compress(b"hello", mtime=0) * 2),
        (b"gzip", b"hello"),
        (b"deflate", b"hello"),
        (b"gzip, gzip", gzip.compress(gzip.compress(b"hello", mtime=0), mtime=0)),
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


def test_all_that_the_bytes_so_far_say_is_handed_on_at_once() -> None:
    data = gzip.compress(bytes(3 << 16))
    for end in range(len(data)):
        heard: list[bytes] = []
        inflater(b"gzip", heard.append).feed(data[:end])
        assert b"".join(heard) == zlib.decompressobj(31).decompress(data[:end])
