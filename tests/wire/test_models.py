"""One list of models for SDKs and for Codex."""

from __future__ import annotations

import json

import httpx2
import msgspec
from openai import OpenAI

from headgate.wire.models import ModelEntry, model_body, models_body

ENTRIES = [
    ModelEntry("gpt-b", "direct", 272_000, 128_000, True),
    ModelEntry("gpt-a", "direct", 1_000, 100, False, msgspec.Raw(b'{"slug":"gpt-a"}')),
]


def test_the_sdk_reads_the_list_and_one_model():
    def handle(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(
            200, json=json.loads(models_body(ENTRIES) if request.url.path.endswith("/models") else model_body(ENTRIES[0]))
        )

    client = OpenAI(api_key="k", base_url="http://gate.test/v1", http_client=httpx2.Client(transport=httpx2.MockTransport(handle)))
    assert [(model.id, model.object, model.owned_by) for model in client.models.list()] == [
        ("gpt-a", "model", "direct"),
        ("gpt-b", "model", "direct"),
    ]
    assert client.models.retrieve("gpt-b").id == "gpt-b"


def test_codex_gets_a_list_too_and_only_the_entries_an_operator_wrote():
    assert json.loads(models_body(ENTRIES))["models"] == [{"slug": "gpt-a"}]
    assert json.loads(models_body([])) == {"object": "list", "data": [], "models": []}
