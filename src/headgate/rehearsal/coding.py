"""A small coding task, step by step: read the file, mend the line, check it, say so. A real coding agent carries the steps out.

Which step is next is read from the calls and results after the last thing the user said, so that nothing is kept between
requests and a resent request gets the same answer. Agents with plain tools call `exec_command` and `apply_patch`; agents in code
mode have one tool `exec`, whose input is JavaScript that calls the same two.
"""

from __future__ import annotations

import json
import re

from headgate.rehearsal.ask import Ask, Tool
from headgate.rehearsal.says import Say, SayText, UseTool

_FILE = re.compile(r"\b([\w/-]+\.py)\b")
_BUG = re.compile(r"([ \t]*)return (\w+) - (\w+)")
_FUNCTION = re.compile(r"def (\w+)\(")


def next_step(ask: Ask) -> Say | None:
    """What to do next, or None when this is no coding task that the given tools can do."""
    file = _FILE.search(ask.question())
    hands = _hands(ask.tools)
    if file is None or hands is None:
        return None
    return _step(ask, file.group(1), hands)


class _PlainHands:
    """`exec_command` as a function tool, `apply_patch` as a freeform tool."""

    def __init__(self, command: Tool, patch: Tool) -> None:
        self._command, self._patch = command, patch

    def run(self, command: str) -> UseTool:
        return UseTool(self._command, json.dumps({"cmd": command}))

    def patch(self, patch: str) -> UseTool:
        return UseTool(self._patch, patch)


class _CodeHands:
    """One freeform tool that evaluates JavaScript."""

    def __init__(self, tool: Tool) -> None:
        self._tool = tool

    def run(self, command: str) -> UseTool:
        return UseTool(self._tool, f"const result = await tools.exec_command({json.dumps({'cmd': command})});\ntext(result);\n")

    def patch(self, patch: str) -> UseTool:
        return UseTool(self._tool, f"const result = await tools.apply_patch({json.dumps(patch)});\ntext(result);\n")


def _hands(tools: tuple[Tool, ...]) -> _PlainHands | _CodeHands | None:
    named = {tool.name: tool for tool in tools if tool.kind in ("function", "custom")}
    if "exec_command" in named and "apply_patch" in named:
        return _PlainHands(named["exec_command"], named["apply_patch"])
    execute = named.get("exec")
    return _CodeHands(execute) if execute is not None and execute.kind == "custom" else None


def _step(ask: Ask, file: str, hands: _PlainHands | _CodeHands) -> Say:
    since = ask.since_question()
    done = sum(turn.who == "call" for turn in since)
    results = [turn.text for turn in since if turn.who == "result"]
    if done == 0 or not results:
        return hands.run(f"cat {file}")
    bug, function = _BUG.search(results[0]), _FUNCTION.search(results[0])
    if bug is None or function is None:
        return SayText(f"I read {file}: it already returns the sum, so there is nothing to change.")
    indent, left, right = bug.groups()
    name, module = function.group(1), file.removesuffix(".py").replace("/", ".")
    if done == 1:
        lines = (
            "*** Begin Patch",
            f"*** Update File: {file}",
            "@@",
            f"-{indent}return {left} - {right}",
            f"+{indent}return {left} + {right}",
            "*** End Patch",
        )
        return hands.patch("\n".join(lines) + "\n")
    if done == 2:
        return hands.run(f"python3 -c 'import {module} as m; assert m.{name}(2, 3) == 5; print(\"{name}(2, 3) =\", m.{name}(2, 3))'")
    if "Traceback" in results[-1]:
        return SayText(f"I changed {name}() in {file}, but the check failed; please look at its output.")
    return SayText(f"Fixed {name}() in {file}: it returned {left} - {right} and now returns {left} + {right}. I ran it: {name}(2, 3) is 5.")
