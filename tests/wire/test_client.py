"""A client is known by what it says of itself."""

from __future__ import annotations

import pytest

from headgate.wire.client import Client, client_of


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        ({b"user-agent": b"codex_exec/0.169.0 (Debian 12.0.0; x86_64) dumb (codex_exec; 0.169.0)"}, Client.CODEX),
        ({b"user-agent": b"codex-tui/0.170.0 (x)"}, Client.CODEX),
        ({b"user-agent": b"codex_cli_rs/1.0.0"}, Client.CODEX),
        ({b"user-agent": b"codex_exec/0.168.9 (x)"}, Client.CODEX_OLD),
        ({b"user-agent": b"codex_sdk_ts/0.130.0"}, Client.CODEX_OLD),
        ({b"user-agent": b"my_ide/0.169.1 (x)", b"originator": b"my_ide", b"x-codex-turn-metadata": b"{}"}, Client.CODEX),
        ({b"user-agent": b"my_ide/9.9.9", b"originator": b"codex_vscode"}, Client.CODEX_OLD),
        ({b"x-codex-turn-metadata": b"{}"}, Client.CODEX_OLD),
        ({b"originator": b"codex_exec"}, Client.CODEX_OLD),
        ({b"user-agent": b"codex_exec/99999999.1"}, Client.SDK),
        ({b"user-agent": b"OpenAI/Python 3.52.0"}, Client.SDK),
        ({b"user-agent": b"curl/8.0", b"originator": b"me"}, Client.SDK),
        ({b"user-agent": b"not-codex_exec/0.169.0"}, Client.SDK),
        ({}, Client.SDK),
    ],
)
def test_the_user_agent_decides_and_doubt_gets_the_shape_every_codex_understands(headers, client):
    assert client_of(headers) is client
