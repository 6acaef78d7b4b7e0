from __future__ import annotations

import pytest

from headgate.paths.path import EVIDENCE, AccessPath, Evidence, PathKind


@pytest.mark.parametrize(
    ("host", "port", "tls", "authority"),
    [
        ("api.openai.com", 443, True, "api.openai.com"),
        ("api.openai.com", 8443, True, "api.openai.com:8443"),
        ("127.0.0.1", 80, False, "127.0.0.1"),
        ("127.0.0.1", 443, False, "127.0.0.1:443"),
        ("::1", 8080, False, "[::1]:8080"),
    ],
)
def test_the_host_header_names_the_port_only_where_it_is_not_the_schemes_own(host: str, port: int, tls: bool, authority: str) -> None:
    assert AccessPath("p", PathKind.OPENAI, host, port, tls, "/v1").authority == authority


def test_every_kind_of_path_says_what_its_provider_shows() -> None:
    assert set(EVIDENCE) == set(PathKind)


def test_a_rehearsal_proves_nothing() -> None:
    assert AccessPath("p", PathKind.OPENAI, "127.0.0.1", 80, False, "/v1", rehearsal=True).evidence is Evidence.UNMEASURED
