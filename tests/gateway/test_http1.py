from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.gateway.http1 import (
    CHUNKED,
    HEAD_BYTES,
    HEADER_COUNT,
    TRAILER_BYTES,
    ChunkReader,
    Head,
    has_no_body,
    read_head,
    status_line,
    unfinished,
)
from headgate.refusal import Reason, Refusal


def head(*lines: str, line: str = "POST /v1/responses?a=b HTTP/1.1", host: str = "Host: gate") -> Head | Refusal:
    return read_head("\r\n".join((line, host, *lines, "", "")).encode("latin-1"), "192.0.2.1")


def good(*lines: str, line: str = "POST /v1/responses?a=b HTTP/1.1", host: str = "Host: gate") -> Head:
    read = head(*lines, line=line, host=host)
    assert isinstance(read, Head), read
    return read


def bad(*lines: str, line: str = "POST /v1/responses?a=b HTTP/1.1", host: str = "Host: gate") -> Refusal:
    read = head(*lines, line=line, host=host)
    assert isinstance(read, Refusal), read
    return read


def test_a_head_says_who_asks_what() -> None:
    read = good("Content-Length: 12", "X-Codex-Turn-Metadata: {}")
    assert (read.method, read.target, read.query, read.peer) == ("POST", "/v1/responses", "a=b", "192.0.2.1")
    assert (read.length, read.version, read.close, read.expects, read.upgrade) == (12, 1, False, False, False)
    assert read.headers == {b"host": b"gate", b"content-length": b"12", b"x-codex-turn-metadata": b"{}"}


def test_names_lose_their_case_and_values_their_outer_space() -> None:
    assert good("X-ThInG: \t a b \t").headers[b"x-thing"] == b"a b"


def test_values_of_a_name_given_twice_are_joined_in_order() -> None:
    assert good("X-A: 1", "x-a: 2", "X-A: 3").headers[b"x-a"] == b"1, 2, 3"


def test_a_target_is_neither_decoded_nor_tidied() -> None:
    assert good(line="GET /v1//x/../%2e;y?%00&a=?b HTTP/1.1").target == "/v1//x/../%2e;y"


@pytest.mark.parametrize(
    "name", ["gate", "gate:8443", "gate.example.org", "my_gate", "10.0.0.1:80", "[::1]", "[2001:db8::1]:443", "xn--d1acufc"]
)
def test_a_host_may_be_a_name_or_an_address_with_or_without_port(name: str) -> None:
    assert good(host=f"Host: {name}").headers[b"host"] == name.encode()


@pytest.mark.parametrize("name", ["", "a b", "a,b", "a/b", "a@b", "a:", "a:123456", "[::1", "::1", "[g]", "a%41", "a\\b", "é"])
def test_another_host_is_refused(name: str) -> None:
    assert bad(host=f"Host: {name}").reason is Reason.MALFORMED_HTTP


def test_a_header_of_sixteen_kibibytes_passes() -> None:
    assert len(good("X-Codex-Turn-Metadata: " + "x" * 16_384).headers[b"x-codex-turn-metadata"]) == 16_384


def test_a_hundred_headers_pass_and_one_more_does_not() -> None:
    lines = [f"X-{number}: y" for number in range(HEADER_COUNT)]
    assert len(good(*lines[:-1]).headers) == HEADER_COUNT
    assert bad(*lines).reason is Reason.HEADERS_TOO_LARGE


def test_http_1_0_ends_with_its_answer() -> None:
    read = good("Connection: keep-alive", line="GET / HTTP/1.0")
    assert (read.version, read.close) == (0, True)


@pytest.mark.parametrize("value", ["close", "Close", "keep-alive, close", "close,,", " close "])
def test_a_client_may_say_that_this_request_is_its_last(value: str) -> None:
    assert good(f"Connection: {value}").close


def test_a_header_that_a_hop_keeps_to_itself_is_dropped() -> None:
    read = good("Connection: X-Hop, keep-alive", "X-Hop: 1", "X-Way: 2")
    assert b"x-hop" not in read.headers
    assert read.headers[b"x-way"] == b"2"


def test_an_expectation_counts_where_a_body_follows() -> None:
    assert good("Expect: 100-Continue", "Content-Length: 5").expects
    assert good("Expect: 100-continue", "Transfer-Encoding: chunked").expects
    assert not good("Expect: 100-continue", "Content-Length: 0").expects
    assert not good("Expect: 100-continue", "Content-Length: 5", line="POST / HTTP/1.0").expects


def test_only_a_web_socket_is_an_upgrade() -> None:
    assert good("Connection: keep-alive, Upgrade", "Upgrade: WebSocket", line="GET / HTTP/1.1").upgrade
    for lines in (("Upgrade: websocket",), ("Connection: Upgrade", "Upgrade: h2c"), ("Connection: Upgrade", "Upgrade: websocket, h2c")):
        read = good(*lines, line="GET / HTTP/1.1")
        assert not read.upgrade
        assert b"upgrade" not in read.headers
    assert not good("Connection: Upgrade", line="GET / HTTP/1.1").upgrade
    assert bad("Connection: Upgrade", "Upgrade: websocket", line="POST / HTTP/1.1").reason is Reason.MALFORMED_HTTP


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"\r\nGET / HTTP/1.1\r\n\r\n", "an empty line"),
        (b"GET / HTTP/1.1\nHost: a\r\n\r\n", "bare"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", "folded"),
        (b"GET / HTTP/1.1\r\nHost: \x07\r\n\r\n", "control character"),
        (b"GET / HTTP/1.7\r\nHost: a\r\n\r\n", "only HTTP/1.0 and HTTP/1.1"),
        (b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", "the request line"),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "before the colon"),
        (b"GET / HTTP/1.1\r\nHost\r\n\r\n", "not `name: value`"),
        (b"GET / HTTP/1.1\r\n\r\n", "Host"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "`host` is given twice"),
        (b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "absolute path"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", "Content-Length"),
    ],
)
def test_a_refusal_says_what_to_mend(raw: bytes, said: str) -> None:
    read = read_head(raw, "")
    assert isinstance(read, Refusal)
    assert said.lower() in read.message.lower()


def test_a_refusal_repeats_nothing_that_was_sent() -> None:
    secret = b"sk-very-secret"
    for raw in (b"GET /" + secret + b" HTTP/3\r\n\r\n", b"GET / HTTP/1.1\r\nHost: " + secret + b"/\r\n\r\n", secret + b"\r\n\r\n"):
        read = read_head(raw, "")
        assert isinstance(read, Refusal)
        assert secret.decode() not in read.message


@pytest.mark.parametrize(
    "begun", [b"G", b"GET / HTTP/1.1", b"GET / HTTP/1.1\r", b"GET / HTTP/1.1\r\nHost: a\r\nX", b"GET / HTTP/1.1\r\nHost: a\r\n\r"]
)
def test_a_begun_head_is_waited_for(begun: bytes) -> None:
    assert unfinished(begun, 0, 0) is None


@pytest.mark.parametrize(
    "begun", [b"\x16\x03\x01", b"GET / HTTP/1.1\n", b"GET /\r\n", b"GET / HTTP/1.1\r\nA: b\n", b"GET / HTTP/1.1\r\nA: b\r\n ", b"\n"]
)
def test_a_begun_head_that_can_never_be_one_is_not_waited_for(begun: bytes) -> None:
    refusal = unfinished(begun, 0, 0)
    assert refusal is not None
    assert refusal.reason is Reason.MALFORMED_HTTP


def test_a_head_beyond_the_limit_is_not_waited_for() -> None:
    begun = b"GET / HTTP/1.1\r\nX: "
    assert unfinished(begun.ljust(HEAD_BYTES - 1, b"x"), 0, 0) is None
    refusal = unfinished(begun.ljust(HEAD_BYTES, b"x"), 0, 0)
    assert refusal is not None
    assert refusal.reason is Reason.HEADERS_TOO_LARGE


# The grammar of RFC 9112 once more, in the plainest words, as a judge of the reader.
TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@given(st.text(st.characters(max_codepoint=255), min_size=1, max_size=6), st.text(st.characters(max_codepoint=255), max_size=6))
def test_a_header_line_is_taken_exactly_where_the_grammar_takes_it(name: str, value: str) -> None:
    read = head(f"{name}: {value}")
    by_grammar = all(letter in TOKEN for letter in name) and all(
        letter == "\t" or " " <= letter <= "~" or letter >= "\x80" for letter in value
    )
    assert isinstance(read, Head) == by_grammar
    if isinstance(read, Head):
        assert read.headers[name.lower().encode()] == value.encode("latin-1").strip(b" \t")


def chunked(*pieces: bytes, limit: int = 1_000) -> ChunkReader:
    reader = ChunkReader(limit)
    for piece in pieces:
        assert reader.feed(piece) == b""
    return reader


def test_chunks_become_the_body_they_carry() -> None:
    reader = chunked(b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n")
    assert (reader.done, bytes(reader.body)) == (True, b"abcde")


def test_what_follows_the_last_chunk_is_handed_back() -> None:
    assert ChunkReader(10).feed(b"0\r\n\r\nGET /") == b"GET /"
    assert ChunkReader(10).feed(b"0\r\nA: b\r\n\r\nGET /") == b"GET /"


def test_a_body_may_be_as_large_as_its_limit_and_is_refused_before_it_is_larger() -> None:
    assert chunked(b"3e8\r\n" + b"x" * 1_000 + b"\r\n0\r\n\r\n").done
    refusal = chunked(b"3e8\r\n" + b"x" * 1_000 + b"\r\n1\r\n").refusal
    assert refusal is not None
    assert refusal.reason is Reason.BODY_TOO_LARGE
    refusal = chunked(b"7fffffff\r\n").refusal  # not one byte of it is waited for
    assert refusal is not None


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=8),
    st.lists(st.sampled_from([b"A: b\r\n", b"X-Sum:\t1 \r\n"]), max_size=3),
    st.lists(st.integers(1, 30), max_size=10),
)
def test_a_chunked_body_reads_back_however_it_is_split(chunks: list[bytes], trailers: list[bytes], cuts: list[int]) -> None:
    wire = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n" + b"".join(trailers) + b"\r\n"
    reader, rest = ChunkReader(1_000), wire
    for cut in cuts:
        if len(rest) <= cut:
            break
        assert reader.feed(rest[:cut]) == b""
        assert not reader.done
        rest = rest[cut:]
    assert reader.feed(rest + b"next") == b"next"
    assert (reader.done, reader.refusal, bytes(reader.body)) == (True, None, b"".join(chunks))


@given(st.lists(st.sampled_from([b"1", b"a\r\n", b"\r", b"\n", b"0\r\n", b"\r\n", b";", b"x", b"A: b", b"0\r\n\r\n"]), max_size=12))
def test_a_chunked_body_ends_alike_in_one_piece_and_byte_by_byte(grains: list[bytes]) -> None:
    wire = b"".join(grains)
    whole, single = ChunkReader(50), ChunkReader(50)
    if wire:
        whole.feed(wire)
    for at in range(len(wire)):
        if not single.done and single.refusal is None:
            single.feed(wire[at : at + 1])
    assert (whole.done, whole.refusal and whole.refusal.reason, whole.body) == (
        single.done,
        single.refusal and single.refusal.reason,
        single.body,
    )


def test_trailers_have_limits() -> None:
    name = b"A: " + b"b" * (TRAILER_BYTES - 5) + b"\r\n"
    assert chunked(b"0\r\n" + name + b"\r\n").done
    assert chunked(b"0\r\n" + name.replace(b"A", b"AB") + b"\r\n").refusal is not None
    assert chunked(b"0\r\n" + b"b" * (TRAILER_BYTES + 2)).refusal is not None
    border = ChunkReader(10)  # the limit is the same when the last byte comes alone
    assert border.feed(b"0\r\n" + name + b"\r") == b""
    assert border.feed(b"\nGET") == b"GET"


def test_every_status_has_its_line_and_some_have_no_body() -> None:
    assert status_line(200) == b"HTTP/1.1 200 OK\r\n"
    assert status_line(529) == b"HTTP/1.1 529 \r\n"
    assert all(re.fullmatch(rb"HTTP/1\.1 \d{3} [ -~]*\r\n", status_line(status)) for status in range(100, 600))
    assert [status for status in range(100, 600) if has_no_body(status)] == [*range(100, 200), 204, 304]


def test_a_chunked_body_has_no_length() -> None:
    assert good("Transfer-Encoding: Chunked").length == CHUNKED
    assert good().length == 0
