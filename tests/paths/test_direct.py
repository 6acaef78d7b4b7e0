from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.paths.direct import OWN_HEADERS, direct, sending
from headgate.paths.path import AccessPath, PathKind

OPENAI = AccessPath("openai", PathKind.OPENAI, "api.openai.com", 443, True, "/v1")
WAY = direct(OPENAI, b"sk-upstream")
ANY = st.binary(max_size=12)


def test_a_request_is_written_whole_with_our_credential_and_nothing_of_the_callers_own() -> None:
    out = sending(
        WAY, "POST", "/v1/responses", [(b"user-agent", b"codex_exec/0.169.0"), (b"x-codex-window-id", b"t:0")], b'{"model":"m"}', "req_1"
    )
    assert out.head == (
        b"POST /v1/responses HTTP/1.1\r\n"
        b"host: api.openai.com\r\n"
        b"authorization: Bearer sk-upstream\r\n"
        b"accept-encoding: identity\r\n"
        b"user-agent: codex_exec/0.169.0\r\n"
        b"x-codex-window-id: t:0\r\n"
        b"content-type: application/json\r\n"
        b"content-length: 13\r\n"
        b"x-headgate-request: req_1\r\n"
        b"\r\n"
    )
    assert out.body == b'{"model":"m"}'


def test_a_request_without_a_body_has_no_length_and_no_type() -> None:
    out = sending(WAY, "GET", "/v1/responses/resp_1?include=usage", [], b"", "req_1")
    assert out.head.startswith(b"GET /v1/responses/resp_1?include=usage HTTP/1.1\r\n")
    assert b"content-" not in out.head


def test_the_base_of_the_path_replaces_the_base_of_the_route() -> None:
    elsewhere = AccessPath("inside", PathKind.OPENAI, "::1", 8443, True, "/llm/openai/v1")
    out = sending(direct(elsewhere, b"k"), "POST", "/v1/chat/completions", [], b"{}", "req_1")
    assert out.head.startswith(b"POST /llm/openai/v1/chat/completions HTTP/1.1\r\nhost: [::1]:8443\r\n")


def test_organisation_and_project_are_sent_where_they_are_set() -> None:
    out = sending(direct(OPENAI, b"k", "org-1", "proj_1"), "POST", "/v1/responses", [], b"{}", "req_1")
    assert b"openai-organization: org-1\r\nopenai-project: proj_1\r\n" in out.head


@pytest.mark.parametrize("name", sorted(OWN_HEADERS))
def test_a_header_that_the_path_writes_is_never_taken_from_the_caller(name: bytes) -> None:
    for spelt in (name, name.upper(), name.title()):
        with pytest.raises(ValueError, match="only the path may write"):
            sending(WAY, "POST", "/v1/responses", [(b"accept", b"*/*"), (spelt, b"x")], b"{}", "req_1")


@pytest.mark.parametrize("name", [b"", b"a b", b"a:", b"host ", b"a\r\nb", b"a\nhost", b"\xe9", b" a", b"a\x00"])
def test_a_header_without_a_real_name_is_never_sent(name: bytes) -> None:
    with pytest.raises(ValueError, match="header"):
        sending(WAY, "POST", "/v1/responses", [(name, b"x")], b"{}", "req_1")


@pytest.mark.parametrize("value", [b"a\rb", b"a\nb", b"a\r\nhost: evil", b"\x00", b"\r", b"a\n"])
def test_a_value_that_would_end_its_line_is_never_sent(value: bytes) -> None:
    with pytest.raises(ValueError, match="line end"):
        sending(WAY, "POST", "/v1/responses", [(b"x-stainless-lang", value)], b"{}", "req_1")


@pytest.mark.parametrize(
    "target",
    [
        "/v1/responses HTTP/1.1\r\nhost: evil",
        "/v2/responses",
        "//evil/v1",
        "/v1//evil",
        "/v1/../admin",
        "/v1/a b",
        "/v1/é",
        "/v1/a#b",
        "/v1/\x00",
        "",
    ],
)
def test_a_target_that_is_not_of_the_api_is_never_sent(target: str) -> None:
    with pytest.raises(ValueError, match="target"):
        sending(WAY, "GET", target, [], b"", "req_1")


@pytest.mark.parametrize("credential", [b"", b"a b", b"a\r\nhost: evil", b"a\n", b"\xff"])
def test_a_credential_that_no_header_may_hold_is_refused_before_anything_is_sent(credential: bytes) -> None:
    with pytest.raises(ValueError, match="credential"):
        direct(OPENAI, credential)


@pytest.mark.parametrize("name", ["org\r\nhost: evil", "a\nb"])
def test_an_organisation_that_would_end_the_line_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="line end"):
        direct(OPENAI, b"k", name)


@given(st.lists(st.tuples(ANY | st.just(b"accept"), ANY), max_size=5), st.binary(max_size=30))
def test_whatever_the_headers_hold_the_head_has_exactly_the_lines_it_was_given(headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    try:
        out = sending(WAY, "POST", "/v1/responses", headers, body, "req_1")
    except ValueError:
        return
    head, end, rest = out.head.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert (end, rest) == (b"\r\n\r\n", b"")
    assert len(lines) == 1 + 3 + len(headers) + 3
    assert [line.partition(b": ")[0] for line in lines[4:-3]] == [name for name, _ in headers]
    assert sum(line.lower().startswith(b"host:") for line in lines) == 1
    assert out.body == body


def test_the_credential_is_in_no_text_that_is_shown() -> None:
    assert "sk-upstream" not in repr(WAY)
    assert "sk-upstream" not in str(WAY)
