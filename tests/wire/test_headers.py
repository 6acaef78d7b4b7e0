"""Only what is on the list passes, in both directions."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from headgate.wire.headers import answer_headers, request_headers

HOSTILE = {
    b"host": b"x",
    b"authorization": b"Bearer k",
    b"cookie": b"a=b",
    b"set-cookie": b"a=b",
    b"location": b"http://x",
    b"connection": b"x-codex-a",
    b"transfer-encoding": b"chunked",
    b"content-length": b"5",
    b"content-encoding": b"gzip",
    b"content-type": b"text/plain",
    b"upgrade": b"x",
    b"x-forwarded-for": b"1.2.3.4",
    b"forwarded": b"for=1",
    b"x-headgate-receipt": b"x",
    b"openai-organization": b"org",
    b"openai-project": b"proj",
    b"api-key": b"k",
    b"proxy-authorization": b"k",
    b"te": b"trailers",
    b"trailer": b"x",
    b"expect": b"100-continue",
    b"accept-encoding": b"gzip",
    b"idempotency-key": b"k",
    b"server": b"x",
    b"via": b"x",
    b"alt-svc": b"x",
    b"strict-transport-security": b"x",
    b"keep-alive": b"x",
}


def test_a_request_carries_what_codex_and_the_sdks_need_and_nothing_else():
    kept = {
        b"user-agent": b"codex_exec/0.169.0",
        b"accept": b"text/event-stream",
        b"originator": b"codex_exec",
        b"session-id": b"s",
        b"openai-beta": b"x",
        b"x-codex-window-id": b"w",
        b"x-openai-internal-codex-responses-lite": b"true",
        b"x-stainless-lang": b"python",
        b"x-client-request-id": b"r",
    }
    assert request_headers({**HOSTILE, **kept}) == list(kept.items())


def test_turn_metadata_passes_clean_or_not_at_all():
    dirty = json.dumps({"o": "https://u:secret@git.example.test/a/b"}).encode()
    assert request_headers({b"x-codex-turn-metadata": dirty}) == [(b"x-codex-turn-metadata", b'{"o":"https://git.example.test/a/b"}')]
    assert request_headers({b"x-codex-turn-metadata": b"{half"}) == []


def test_an_answer_carries_what_the_sdk_and_codex_read_and_nothing_else():
    kept = {
        b"x-request-id": b"req",
        b"openai-processing-ms": b"5",
        b"x-ratelimit-limit-tokens": b"9",
        b"retry-after": b"1",
        b"x-codex-turn-state": b"t",
        b"x-models-etag": b"e",
        b"x-reasoning-included": b"true",
        b"openai-model": b"m",
    }
    hostile = {name: value for name, value in HOSTILE.items() if name != b"content-type"}
    assert answer_headers({**hostile, **kept}) == b"".join(b"%b: %b\r\n" % pair for pair in kept.items())


def test_the_model_of_a_rerouted_answer_is_not_told():
    assert answer_headers({b"openai-model": b"m"}, rerouted=True) == b""


@given(st.dictionaries(st.binary(max_size=12).map(lambda tail: b"x-codex-" + tail), st.binary(max_size=20), max_size=4))
def test_no_header_can_end_its_line(headers):
    lines = answer_headers(headers)
    passed = request_headers(headers)
    assert lines.count(b"\r\n") == lines.count(b"\n") == lines.count(b"\r") == sum(line != b"" for line in lines.split(b"\r\n"))
    assert all(b"\r" not in name + value and b"\n" not in name + value and b"\0" not in value for name, value in passed)
