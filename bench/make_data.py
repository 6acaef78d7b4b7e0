"""Writes the request bodies of the benchmark, the same bytes each time: `python -m bench.make_data`.

The long one has the shape of a Codex turn late in a session: a long developer prompt, many tool calls with their output, all resent,
and one new message at the end. Its `web_search` tool is left out: it needs a rule of its own in a gate, and nothing here measures that.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path

DATA = Path(__file__).parent / "data"
CHAT_MODEL = "gpt-4o-mini"
CODEX_MODEL = "gpt-5.5"
# More than the mock upstream ever says it wrote, so that no settlement is above its hold.
MOST_OUTPUT_TOKENS = 256

_NOUNS = ["budget", "invoice", "ledger", "parser", "request", "answer", "queue", "report", "window", "account", "batch", "retry", "cursor"]
_VERBS = ["reads", "writes", "checks", "splits", "joins", "counts", "drops", "keeps", "moves", "sorts", "closes", "opens"]
_CODE = ["def", "return", "if", "for", "in", "None", "0", "(", ")", "[", "]", "{", "}", ":", "=", ",", "'", '"', "\\", "\n", "\n    "]


def _sentences(chance: random.Random, size: int) -> str:
    """Plain sentences of about `size` bytes."""
    text = ""
    while len(text) < size:
        first, second, third = chance.choices(_NOUNS, k=3)
        text += f"The {first} {chance.choice(_VERBS)} every {second} before the {third} closes. "
    return text[:size]


def _code(chance: random.Random, size: int) -> str:
    """Text with the quotes, backslashes and line ends of source code, which JSON must escape."""
    text = ""
    while len(text) < size:
        text += chance.choice(_CODE) if chance.random() < 0.5 else f" {chance.choice(_NOUNS)}_{chance.choice(_NOUNS)} "
    return text[:size]


def _message(chance: random.Random, role: str, size: int) -> dict[str, object]:
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "id": _item_id(chance, "msg"), "role": role, "content": [{"type": kind, "text": _sentences(chance, size)}]}


def _item_id(chance: random.Random, prefix: str) -> str:
    return f"{prefix}_{chance.getrandbits(192):048x}"


def _tool_turn(chance: random.Random) -> list[dict[str, object]]:
    """One step of the work: a command and what it printed."""
    call = f"call_{chance.getrandbits(96):024x}"
    command = json.dumps({"cmd": f"sed -n 1,120p src/{chance.choice(_NOUNS)}/{chance.choice(_NOUNS)}.py", "yield_time_ms": 1000})
    output = f"Chunk ID: {chance.getrandbits(24):06x}\nProcess exited with code 0\nOutput:\n{_code(chance, chance.randint(1500, 3500))}"
    return [
        {"type": "function_call", "id": _item_id(chance, "fc"), "name": "exec_command", "arguments": command, "call_id": call},
        {"type": "function_call_output", "id": _item_id(chance, "fco"), "call_id": call, "output": output},
    ]


def _function(name: str, description: str, fields: Mapping[str, str]) -> dict[str, object]:
    properties = {field: {"type": kind, "description": f"The {field} of {name}."} for field, kind in fields.items()}
    parameters = {"type": "object", "properties": properties, "required": list(fields)[:1], "additionalProperties": False}
    return {"type": "function", "name": name, "description": description, "strict": False, "parameters": parameters}


def codex_request(size: int, *, stream: bool) -> dict[str, object]:
    """A body of about `size` bytes."""
    chance = random.Random(120)
    tools = [
        _function("exec_command", _sentences(chance, 600), {"cmd": "string", "yield_time_ms": "integer", "workdir": "string"}),
        _function("write_stdin", _sentences(chance, 400), {"session_id": "integer", "chars": "string"}),
        _function("view_image", _sentences(chance, 200), {"path": "string"}),
        {
            "type": "custom",
            "name": "apply_patch",
            "description": _sentences(chance, 800),
            "format": {"type": "grammar", "syntax": "lark", "definition": 'start: "*** Begin Patch" change+ "*** End Patch"\nchange: /.+/'},
        },
    ]
    items = [_message(chance, "developer", 14000), _message(chance, "user", 3000)]
    request: dict[str, object] = {
        "model": CODEX_MODEL,
        "input": items,
        "tools": tools,
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "reasoning": {"effort": "medium"},
        "store": False,
        "stream": stream,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "0199a1fb-e71b-7735-8094-3e4eb3f35142",
        "text": {"verbosity": "medium"},
        "client_metadata": {"session_id": "0199a1fb-e71b-7735-8094-3e4eb3f35142"},
    }
    while len(json.dumps(request, separators=(",", ":"))) < size - 700:
        items.extend(_tool_turn(chance))
    items.append(_message(chance, "user", 400))
    return request


def chat_request(*, stream: bool) -> dict[str, object]:
    """About 1 KB."""
    chance = random.Random(1)
    messages = [{"role": "system", "content": "Answer in one short paragraph."}, {"role": "user", "content": _sentences(chance, 820)}]
    request: dict[str, object] = {"model": CHAT_MODEL, "messages": messages, "temperature": 1, "max_completion_tokens": MOST_OUTPUT_TOKENS}
    return request | {"stream": True} if stream else request


def responses_request(*, stream: bool) -> dict[str, object]:
    """About 1 KB."""
    chance = random.Random(2)
    request: dict[str, object] = {
        "model": CHAT_MODEL,
        "instructions": "Answer in one short paragraph.",
        "input": _sentences(chance, 830),
        "max_output_tokens": MOST_OUTPUT_TOKENS,
    }
    return request | {"stream": True} if stream else request


def make_data(folder: Path = DATA) -> None:
    """Writes every body into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    bodies = {
        "chat_1k.json": chat_request(stream=False),
        "chat_1k_stream.json": chat_request(stream=True),
        "responses_1k.json": responses_request(stream=False),
        "responses_1k_stream.json": responses_request(stream=True),
        "codex_120k.json": codex_request(120_000, stream=True),
        "codex_120k_whole.json": codex_request(120_000, stream=False),
    }
    for name, body in bodies.items():
        (folder / name).write_text(json.dumps(body, separators=(",", ":")))


if __name__ == "__main__":
    make_data()
