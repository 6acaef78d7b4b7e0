"""A sample company at work: a shop in production, developers with a coding agent, and a nightly job in CI that nobody watches.

Each person calls, reads, thinks and calls again, over real HTTP with a key of their own. What they see is told as lines of open calls and
as events; nothing here knows a budget.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping

import msgspec

from headgate.trials.client import Client, Heard, post, refusal_of
from headgate.trials.stage import LOCAL

MOST_TURNS = 9  # of one session with a coding agent; then a new one begins
TAIL = 400  # characters of an answer that are kept to be shown

# What a coding agent sends before every first turn; it is resent with each later one.
_INSTRUCTIONS = "You are a coding agent in a terminal. Work in small steps, run the tests after each change, and say what you did. " * 30
_AGENT_HEADERS = b"originator: codex_cli_rs\r\nuser-agent: codex_cli_rs/0.169.0 (Linux)\r\n"

_TASKS = (
    "Find out why the invoice total is off by one cent, and write a test that shows it.",
    "Rename the customer table without a minute of downtime.",
    "The login page takes four seconds on a phone. Where does the time go?",
    "Explain what this retry loop does when the other side never answers.",
    "Make the nightly import resume where it stopped.",
)
_QUESTIONS = (
    "Where is my parcel? It should have been here on Tuesday.",
    "Can I still change the size of my order?",
    "I was charged twice, please look into it.",
    "Do you ship to islands?",
    "Write three sentences about this lamp for the shop.",
)
_NIGHTLY = "Summarise every changed file of the repository, one after another, in full."


class Person(msgspec.Struct, frozen=True):
    """Who calls, on which workspace's money, with which model, and how: agent, chat or job. `pause_s` is how long they think."""

    name: str
    workspace: str
    model: str
    way: str
    pause_s: float
    facts: dict[str, str] = {}
    text_tokens: int = 0
    most_output: int | None = None


STAFF = (
    Person("ana", "development", "gpt-5.5", "agent", 2.5, {"user": "ana", "team": "payments"}, 180),
    Person("bruno", "development", "gpt-5.5", "agent", 4, {"user": "bruno", "team": "payments"}, 140),
    Person("chen", "development", "gpt-5.4", "agent", 3, {"user": "chen", "team": "search"}, 220),
    Person("support-bot", "production", "gpt-5.4-mini", "chat", 0.4, {"service": "support-bot"}, 60, 400),
    Person("support-bot", "production", "gpt-5.4-mini", "chat", 0.7, {"service": "support-bot"}, 90, 400),
    Person("shop-texts", "production", "gpt-5.4", "chat", 2, {"service": "shop-texts"}, 120, 2000),
    Person("nightly", "ci", "gpt-4.1", "job", 0.1, {"service": "nightly"}, 1500),
    Person("nightly", "ci", "gpt-4.1", "job", 0.1, {"service": "nightly"}, 1400),
    Person("nightly", "ci", "gpt-4.1", "job", 0.1, {"service": "nightly"}, 1600),
)


class Line(msgspec.Struct):
    """One open call, as a bystander sees it."""

    who: str
    workspace: str
    model: str
    what: str
    began: float  # monotonic seconds
    text: str = ""


class Event(msgspec.Struct, frozen=True):
    """A call that came back. `kind`: answered, shortened, refused or broken; `code` and `message` are of a refusal."""

    kind: str
    who: str
    workspace: str
    model: str
    code: str = ""
    message: str = ""


class Company:
    """Everyone at work; `keys` is the key of each (name, workspace)."""

    def __init__(self, port: int, keys: Mapping[tuple[str, str], str], heard: Callable[[Event], None], seed: int = 1) -> None:
        self._port = port
        self._keys = keys
        self._heard = heard
        self._seed = seed
        self._numbers = iter(range(1 << 62))
        self.lines: dict[int, Line] = {}
        self.finished: deque[Line] = deque(maxlen=12)  # the last that ended, the newest last

    async def work(self) -> None:
        """Until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            for number, person in enumerate(STAFF):
                group.create_task(self._work(person, random.Random(f"{self._seed}/{number}")))

    async def _work(self, person: Person, chance: random.Random) -> None:
        client = Client(LOCAL, self._port)
        told = ""
        try:
            await asyncio.sleep(chance.random() * 2)
            for what, request in _DAYS[person.way](person, chance):
                answer = await self._turn(client, person, what, request(self._keys[person.name, person.workspace], told))
                told = answer or told
                # Who was refused tries again, as people and scripts do.
                await asyncio.sleep(person.pause_s * (0.5 + chance.random()) if answer else 2 + chance.random() * 2)
        finally:
            client.close()

    async def _turn(self, client: Client, person: Person, what: str, request: bytes) -> str:
        """One call; the text of the answer, empty when there was none."""
        number = next(self._numbers)
        line = self.lines[number] = Line(person.name, person.workspace, person.model, what, time.monotonic())
        reader = _Deltas(line)
        client.on_piece = reader.feed
        try:
            heard = await client.ask(request)
        finally:
            del self.lines[number]
        if heard.status == 200 and heard.whole:
            self.finished.append(line)
        self._heard(_event(person, heard))
        return reader.text if heard.status == 200 and heard.whole else ""


def _event(person: Person, heard: Heard) -> Event:
    about = (person.name, person.workspace, person.model)
    if heard.status == 200 and heard.whole:
        return Event("shortened" if b"x-headgate-shortened" in heard.headers else "answered", *about)
    if heard.status and heard.whole:
        told = refusal_of(heard)
        return Event("refused", *about, told.policy_code or told.code or str(heard.status), told.message)
    return Event("broken", *about, "", "The gate did not answer to the end")


Ask = Callable[[str, str], bytes]  # the key and the last answer to the request
Day = Iterator[tuple[str, Ask]]


def _agent(person: Person, chance: random.Random) -> Day:
    """Sessions: every turn resends what was said before, as a coding agent does."""
    while True:
        items: list[dict[str, object]] = [_message("user", chance.choice(_TASKS))]
        for turn in range(1, chance.randrange(3, MOST_TURNS + 1)):

            def ask(key: str, told: str, items: list[dict[str, object]] = items, turn: int = turn) -> bytes:
                if turn > 1:
                    items.extend((_message("assistant", told or "Done."), _message("user", "Go on, and run the tests.")))
                body = {
                    "model": person.model,
                    "instructions": _INSTRUCTIONS,
                    "input": items,
                    "stream": True,
                    "store": False,
                    "metadata": {"rehearsal_text_tokens": str(person.text_tokens)},
                }
                return post(LOCAL, "/v1/responses", key, msgspec.json.encode(body), _AGENT_HEADERS)

            yield f"agent, turn {turn}", ask


def _chat(person: Person, chance: random.Random) -> Day:
    while True:
        question = chance.choice(_QUESTIONS)

        def ask(key: str, _told: str, question: str = question) -> bytes:
            body: dict[str, object] = {
                "model": person.model,
                "messages": [{"role": "system", "content": "You answer customers of a lamp shop."}, {"role": "user", "content": question}],
                "stream": True,
                "metadata": {"rehearsal_text_tokens": str(person.text_tokens)},
                "max_completion_tokens": person.most_output,
            }
            return post(LOCAL, "/v1/chat/completions", key, msgspec.json.encode(body))

        yield "chat", ask


def _job(person: Person, chance: random.Random) -> Day:
    while True:

        def ask(key: str, _told: str) -> bytes:
            text = f"{_NIGHTLY} Run {chance.randrange(10_000)}."
            body = {"model": person.model, "input": text, "stream": True, "metadata": {"rehearsal_text_tokens": str(person.text_tokens)}}
            return post(LOCAL, "/v1/responses", key, msgspec.json.encode(body))

        yield "nightly job", ask


_DAYS: dict[str, Callable[[Person, random.Random], Day]] = {"agent": _agent, "chat": _chat, "job": _job}


def _message(role: str, text: str) -> dict[str, object]:
    return {"type": "message", "role": role, "content": text}


class _Delta(msgspec.Struct):
    """What is read of an event of either API: a piece of text."""

    delta: str | dict[str, object] = ""
    choices: list[_Choice] = []


class _Choice(msgspec.Struct):
    delta: _Content


class _Content(msgspec.Struct):
    content: str | None = None


class _Deltas:
    """The text of a stream as it arrives."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._rest = b""
        self.text = ""

    def feed(self, data: bytes) -> None:
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            if line.startswith(b"data: {") and b"delta" in line:
                self._read(line[6:])

    def _read(self, data: bytes) -> None:
        try:
            event = _decoder.decode(data)
        except msgspec.MsgspecError:
            return
        piece = event.delta if isinstance(event.delta, str) else ""
        self.text += piece or "".join(choice.delta.content or "" for choice in event.choices)
        self._line.text = self.text[-TAIL:]


_decoder = msgspec.json.Decoder(_Delta)
