"""A stream is watched while it passes: which response it is, how it ended, what it used.

Rule 1  Only whole events leave. What follows the last empty line is held back, so that a stream can always be ended between two events.
Rule 2  Events are not parsed one by one. A block is searched for the few marks that only the first and the last events carry; a mark is an
        unescaped JSON string, which text inside a delta can never be (its quotes are escaped there).
Rule 3  The result does not depend on how the bytes were cut into pieces on their way.
Rule 4  Nothing changes on its way but two things: the usage chunk that the client did not ask for is left out, and the end of an answer
        that the gate shortened says so.
Rule 5  The last believable usage counts. One that cannot be believed takes nothing back.
"""

from __future__ import annotations

import msgspec

from headgate.wire.answer import CUT_SHORT, ChatObject, ResponseObject, Seen, Terminal, read_answer, seen_of
from headgate.wire.api import Api
from headgate.wire.client import Client
from headgate.wire.errors import failed_event
from headgate.wire.objects import NULL, UNREADABLE
from headgate.wire.sse import begin, data_of, last_end, looks_like_events, next_end, write_comment
from headgate.wire.usage import read_usage

__all__ = ["EVENT_LIMIT", "Seen", "StreamMeter", "Terminal", "read_answer"]

EVENT_LIMIT = 4 * 1024 * 1024  # bytes

# Marks of the events that can matter. `_tokens"` ends the names of every usage, however it is spaced; `"usage"` would stand in every chunk.
_MARKS: dict[Api, tuple[bytes, ...]] = {
    Api.RESPONSES: (b'"response"', b'"error"'),
    Api.CHAT: (b'_tokens"', b'"error"', b"[DONE]"),
}

_TERMINALS: dict[str | None, Terminal] = {
    "response.completed": Terminal.COMPLETED,
    "response.incomplete": Terminal.INCOMPLETE,
    "response.failed": Terminal.FAILED,
}

# How many events of a chat stream are asked for its id before it is given up: comments and filter results may come first.
_MOST_UNNAMED = 16


class _Event(msgspec.Struct):
    type: str | None = None
    response: ResponseObject | None = None
    sequence_number: int = 0


_EVENT = msgspec.json.Decoder(_Event)
_CHUNK = msgspec.json.Decoder(ChatObject)

# One change of what passes: from where to where, and what stands there instead.
_Change = tuple[int, int, bytes]


class StreamMeter:
    """Feed it what arrives; send what it gives back."""

    def __init__(
        self,
        api: Api,
        hide_usage: bool = False,
        client: Client = Client.SDK,
        shortened: str | None = None,
        request_id: str = "",
        event_limit: int = EVENT_LIMIT,
    ) -> None:
        self.seen = Seen()
        self.ended = False  # a terminal event, or [DONE]
        self.broken = False  # not events at all, or one larger than the limit
        self._api = api
        self._marks = _MARKS[api]
        self._hide_usage = hide_usage
        self._client = client
        self._shortened = shortened
        self._request_id = request_id
        self._event_limit = event_limit
        self._held = bytearray()
        self._carriage = False
        self._swallow = False  # the LF of a CR LF whose event was left out
        self._begun = False
        self._unnamed = _MOST_UNNAMED if api is Api.CHAT else 0
        self._before = b""  # the block before this one: the chunk that says why the answer stopped may be its last
        self._stopped: str | None = None

    def feed(self, data: bytes) -> bytes:
        """The whole events that may go to the client now."""
        if self._swallow and data:
            self._swallow = False
            data = data.removeprefix(b"\n")
        if self.broken or not data:
            return b""
        if not self._carriage and b"\r" in data:
            self._carriage = True
        held = self._held
        if held:
            start = len(held) - 1
            held += data
            end = last_end(held, start, self._carriage)
            block = bytes(held[: max(end, 0)])
            del held[: max(end, 0)]
        else:
            end = last_end(data, 0, self._carriage)
            block = data if end == len(data) else data[: max(end, 0)]
            held += data[len(block) :]
        out = self._pass(block) if block else b""
        if len(held) > self._event_limit and len(held.strip(b"\r\n")) > self._event_limit:
            out += held[: len(held) - len(held.lstrip(b"\r\n"))]
            self._break()
        return out

    def rest(self) -> bytes:
        """What is held back, for the end of the body. An event without its empty line did not happen, and is not read."""
        rest = bytes(self._held)
        self._held.clear()
        if not self._begun and rest and not rest.isspace():
            self.broken = True
            return b""
        return rest

    def _break(self) -> None:
        self.broken = True
        self._held.clear()

    def _pass(self, block: bytes) -> bytes:
        if len(block) > self._event_limit:
            block = self._within_limit(block)
        if not self._begun and not block.isspace():
            self._begun = True
            if not looks_like_events(block):
                self._break()
                return b""
            self.seen = msgspec.structs.replace(self.seen, readable=True)
        if self._unnamed:
            self._name(block)
        changes: list[_Change] = []
        for start, end in self._marked(block):
            if self._api is Api.RESPONSES:
                self._response_event(block, start, end, changes)
            else:
                self._chat_event(block, start, end, changes)
        if not block.isspace():
            self._before = block
        return _changed(block, changes) if changes else block

    def _within_limit(self, block: bytes) -> bytes:
        """What stands before the first event that is too large. Empty lines belong to no event, so they pass."""
        start = 0
        while start < len(block):
            end = next_end(block, start, self._carriage)
            if len(block[start:end].strip(b"\r\n")) > self._event_limit:
                self._break()
                return block[: end - len(block[start:end].lstrip(b"\r\n"))]
            start = end
        return block

    def _marked(self, block: bytes) -> list[tuple[int, int]]:
        """Where the events that can matter stand, in order."""
        found: set[tuple[int, int]] = set()
        for mark in self._marks:
            at = block.find(mark)
            while at >= 0:
                end = next_end(block, at, self._carriage)
                found.add((begin(block, at, self._carriage), end))
                at = block.find(mark, end)
        return sorted(found)

    def _response_event(self, block: bytes, start: int, end: int, changes: list[_Change]) -> None:
        try:
            event = _EVENT.decode(data_of(block[start:end]))
        except (*UNREADABLE, RecursionError):
            return
        told = event.response or ResponseObject()
        terminal = _TERMINALS.get(event.type)
        if event.type == "error":
            self._fail()
        elif terminal is None:
            if told.id is not None and not self.ended:
                self.seen = msgspec.structs.replace(
                    self.seen, response_id=told.id, model=told.model or self.seen.model, tier=told.service_tier or self.seen.tier
                )
        else:
            self._end(told, terminal)
            if self._shortened is not None and self.seen.incomplete_reason == "max_output_tokens":
                self._say_shortened(block, start, end, event, changes)

    def _end(self, told: ResponseObject, terminal: Terminal) -> None:
        now, was = seen_of(told, terminal), self.seen
        self.ended = True
        if now.usage is None and was.usage is not None:
            return
        self.seen = msgspec.structs.replace(
            now, response_id=now.response_id or was.response_id, model=now.model or was.model, tier=now.tier or was.tier
        )

    def _fail(self) -> None:
        """An error in the stream ends it; it takes back no count."""
        self.ended = True
        if self.seen.terminal is None:
            self.seen = msgspec.structs.replace(self.seen, terminal=Terminal.FAILED)

    def _say_shortened(self, block: bytes, start: int, end: int, event: _Event, changes: list[_Change]) -> None:
        """Codex shows a text only for a failure, and it shows no comment; other clients get the provider's own event after a comment."""
        assert self._shortened is not None
        if self._client is Client.SDK:
            changes.append((start, start, self._note()))
            return
        told = event.response or ResponseObject()
        instead = failed_event(
            self._shortened, "invalid_prompt", self._request_id, event.sequence_number, self.seen.response_id, self.seen.model, told.usage
        )
        changes.append((start, end, instead))
        self._swallow = end == len(block) and block.endswith(b"\r")

    def _note(self) -> bytes:
        assert self._shortened is not None
        return write_comment(b"headgate " + self._shortened.encode("ascii", "replace"))

    def _chat_event(self, block: bytes, start: int, end: int, changes: list[_Change]) -> None:
        data = data_of(block[start:end])
        if data.strip() == b"[DONE]":
            self._done(block, start, changes)
            return
        try:
            chunk = _CHUNK.decode(data)
        except (*UNREADABLE, RecursionError):
            return
        if chunk.error != NULL:
            self._fail()
        if chunk.usage == NULL:
            return
        self._stopped = _stop_reason(chunk) or self._stopped or self._stop_before(block, start)
        usage = read_usage(Api.CHAT, chunk.usage)
        if usage is not None:
            self.seen = msgspec.structs.replace(
                self.seen, usage=usage, model=chunk.model or self.seen.model, tier=chunk.service_tier or self.seen.tier
            )
        if self._hide_usage and chunk.choices == []:
            changes.append((start, end, b""))
            self._swallow = end == len(block) and block.endswith(b"\r")

    def _done(self, block: bytes, start: int, changes: list[_Change]) -> None:
        if self.ended:
            return
        self.ended = True
        self._stopped = self._stopped or self._stop_before(block, start)
        short = self._stopped if self._stopped in CUT_SHORT else None
        terminal = Terminal.COMPLETED if short is None else Terminal.INCOMPLETE
        self.seen = msgspec.structs.replace(self.seen, terminal=terminal, incomplete_reason=short)
        if self._shortened is not None and short == "length":
            changes.append((start, start, self._note()))

    def _stop_before(self, block: bytes, start: int) -> str | None:
        """Why the answer stopped, as the event before this one says."""
        source, position = (block, start) if start and not block[:start].isspace() else (self._before, len(self._before))
        text = source[:position].rstrip(b"\r\n")
        try:
            return _stop_reason(_CHUNK.decode(data_of(text[begin(text, len(text), self._carriage) :])))
        except (*UNREADABLE, RecursionError):
            return None

    def _name(self, block: bytes) -> None:
        """The id and the model stand in the first chunk."""
        start = 0
        while start < len(block) and self._unnamed:
            end = next_end(block, start, self._carriage)
            data = data_of(block[start:end])
            start = end
            if not data:
                continue
            self._unnamed -= 1
            try:
                chunk = _CHUNK.decode(data)
            except (*UNREADABLE, RecursionError):
                continue
            if chunk.id is not None:
                self.seen = msgspec.structs.replace(self.seen, response_id=chunk.id, model=chunk.model, tier=chunk.service_tier)
                self._unnamed = 0


def _stop_reason(chunk: ChatObject) -> str | None:
    return next((choice.finish_reason for choice in chunk.choices or () if choice.finish_reason is not None), None)


def _changed(block: bytes, changes: list[_Change]) -> bytes:
    pieces: list[bytes] = []
    at = 0
    for start, end, instead in changes:
        pieces += (block[at:start], instead)
        at = end
    pieces.append(block[at:])
    return b"".join(pieces)
