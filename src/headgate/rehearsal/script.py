"""What the rehearsal says: a structured answer, a tool call, a step of the coding task, or a few believable sentences.

The same question gets the same answer, so that a resent request can be compared with the first.
"""

from __future__ import annotations

import re
import zlib

from headgate.rehearsal.ask import RESPONSES, Ask, Tool
from headgate.rehearsal.coding import next_step
from headgate.rehearsal.instances import instance
from headgate.rehearsal.says import Say, SayText, Search, UseTool
from headgate.rehearsal.shapes import encode, whole

_ECHO = re.compile(r"(?:say|reply with|answer with)(?: exactly| only)?:? [\"“']?(.{1,400}?)[\"”']?[.!]?$", re.IGNORECASE)

_SENTENCES = (
    "The short answer is yes, with one condition that is easy to miss.",
    "Start with the smallest case that still shows the problem, and keep it as a test.",
    "Most of the time is spent waiting for the slowest of the three steps, not in the code itself.",
    "If two teams need the same figure, let one of them own it and the other read it.",
    "I would measure it before changing anything, because the first guess is often wrong.",
    "The naïve version works for ten records and fails quietly for ten thousand.",
    "A limit that is checked after the fact is a report, not a limit.",
    "Write down what should happen when the other side does not answer.",
    "The numbers in the table add up, but the last column counts the same month twice.",
    "It costs little to keep the old way working for one more release.",
    "There are two risks: the data may be stale, and nobody may notice that it is.",
    "A clear name for the thing would remove half of the comments around it.",
    "For the customer nothing changes, except that the answer arrives sooner.",
    "Keep the decision in one place, and let everything else ask.",
    "The simplest fix is one line; the right one is to make the mistake impossible.",
    "Finally, tell the people who depend on it, and give them a date — not a promise.",
)


def act(ask: Ask, text_tokens: int, bytes_per_token: int) -> list[tuple[Say, ...]]:
    """What the model does, once for each choice that was asked for."""
    marked = ask.metadata.get("rehearsal_text_tokens")
    # A gate that is strict about metadata lets only strings through.
    if isinstance(marked, str):
        marked = int(marked) if marked.isdigit() and len(marked) < 7 else None
    wanted = whole(marked) or text_tokens
    return [_act(ask, wanted * bytes_per_token, choice) for choice in range(ask.choices)]


def _act(ask: Ask, wanted_bytes: int, choice: int) -> tuple[Say, ...]:
    if ask.schema is not None:
        return (SayText(encode(instance(ask.schema or _ANY_OBJECT, _subject(ask))).decode()),)
    if ask.tool_choice != "none":
        tool = _forced_tool(ask) or _mentioned_tool(ask)
        if tool is not None:
            return (
                (Search(_subject(ask)), SayText(_answer(ask, wanted_bytes, choice)))
                if tool.kind not in ("function", "custom")
                else (use(tool, ask),)
            )
        step = next_step(ask)
        if step is not None:
            return (step,)
    return (SayText(_answer(ask, wanted_bytes, choice)),)


_ANY_OBJECT = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}


def use(tool: Tool, ask: Ask) -> UseTool:
    """A call of this tool with the smallest arguments its schema allows."""
    if tool.kind == "custom":
        return UseTool(tool, _subject(ask))
    return UseTool(tool, encode(instance(tool.schema or {"type": "object"}, _subject(ask))).decode())


def _forced_tool(ask: Ask) -> Tool | None:
    if ask.tool_choice == "required":
        return next(
            (tool for tool in ask.tools if tool.kind in ("function", "custom")), next((tool for tool in ask.tools if _searches(tool)), None)
        )
    return next((tool for tool in ask.tools if ask.tool_choice in (tool.name, tool.kind)), None)


def _mentioned_tool(ask: Ask) -> Tool | None:
    """A tool whose name the user said, or a web search that was asked for; not once its result is there."""
    if any(turn.who == "result" for turn in ask.since_question()):
        return None
    question = ask.question()
    if "search the web" in question.lower() and ask.api == RESPONSES:
        return next((tool for tool in ask.tools if _searches(tool)), None)
    return next(
        (tool for tool in ask.tools if tool.kind in ("function", "custom") and re.search(rf"\b{re.escape(tool.name)}\b", question)), None
    )


def _searches(tool: Tool) -> bool:
    return tool.kind.startswith("web_search")


def _subject(ask: Ask) -> str:
    words = ask.question().split()
    return " ".join(words[:8])[:80].rstrip(".,:;!?") or "rehearsal"


def _answer(ask: Ask, wanted_bytes: int, choice: int) -> str:
    since = ask.since_question()
    result = next((turn.text for turn in reversed(since) if turn.who == "result"), None)
    question = ask.question().strip()
    echo = _ECHO.search(question) if len(question) < 500 else None
    if echo is not None and wanted_bytes == 0:
        return echo.group(1)
    start = f"The tool answered: {result.strip()[:160]} " if result is not None else f"About “{_subject(ask)}”: "
    # CRC-32 of the question picks the sentences: the same question, the same answer, in every process.
    seed = zlib.crc32(question.encode("utf-8", "replace")) + choice * 7
    count = 2 + seed % 4
    text = start + " ".join(_SENTENCES[(seed + 5 * index) % len(_SENTENCES)] for index in range(count))
    index = count
    while len(text) < wanted_bytes:
        text += " " + _SENTENCES[(seed + 5 * index) % len(_SENTENCES)]
        index += 1
    return text[:wanted_bytes] if wanted_bytes else text
