"""`headgate demo`: a gate, a house, a rehearsal and a sample company with live traffic, in one command, on this machine alone.

Rule 1  Nothing outlives it: every process holds a pipe that closes with it, also when it is killed, and the folder goes with it.
Rule 2  What it shows is what the gate wrote: the money is read from the book, and whoever else calls is seen in the gate's own log.
Rule 3  It ends with the books: what the rehearsal's meter billed beside what the ledger posted.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import Mapping

import click
import msgspec
import uvloop
from rich.console import Console

from headgate.cli.ending import Exit, fail
from headgate.cli.screen import FRAMES_A_SECOND, Purse, Said, Screen, finale
from headgate.control.reports import budgets
from headgate.money import parse_dollars
from headgate.store.sqlite import Database
from headgate.store.verify import verify
from headgate.trials import configuration
from headgate.trials.company import STAFF, Company, Event
from headgate.trials.stage import LOCAL, CannotStart, GateGone, Judge, Process, Stage, free_port, open_book

# Small, so that something happens while one looks: the month's cap of each workspace in dollars.
CAPS = {"production": "25", "development": "15", "ci": "0.50"}
MODEL = "gpt-5.4-mini"
REFUSALS_TOLD_S = 4  # of one person, between two that are told in full
END_SECONDS = 3

# Everything off that is for other scales than a few minutes; all else is as `headgate init` leaves it.
_WORKSPACE = {"day_brake": '"off"', "week_brake": '"off"', "wait_ms": "1500"}
_OF_CI = {"output_tokens": "8_000"}  # what is held for a call without a limit: three at once fit the cap, and the last ones are shortened


@click.command()
@click.option("--json", "as_json", is_flag=True, help="JSON lines; the first is one object with base_url, key, model and console.")
@click.option("--seconds", type=click.IntRange(1), help="End by itself after so long.")
@click.option("--keep", is_flag=True, help="Leave the data folder where it is.")
def demo(as_json: bool, seconds: int | None, keep: bool) -> None:
    """A sample company with live traffic behind a gate, in one command. Costs nothing, needs no account; Ctrl-C ends it."""
    try:
        with Stage(keep) as stage, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            code = runner.run(_Demo(stage, as_json, seconds).run())
    except (CannotStart, GateGone) as error:
        fail(Exit.FAILED, str(error))
    except BrokenPipeError:  # whoever read the lines has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = Exit.DONE
    sys.exit(int(code))


class _LogLine(msgspec.Struct):
    """What is read of the gate's log."""

    event: str
    workspace: str = ""
    key: str = ""
    model: str = ""
    ending: str = ""
    reason: str = ""
    held_nano: int = 0
    charged_nano: int = 0
    doubted: int = 0


class _Demo:
    def __init__(self, stage: Stage, as_json: bool, seconds: int | None) -> None:
        self._stage = stage
        self._as_json = as_json
        self._seconds = seconds
        self._over = asyncio.Event()
        self._stopped: set[str] = set()
        self._told: dict[str, float] = {}
        self._read = 0
        self._key_id = ""
        self._answered = 0
        self._refused = 0
        self._file = stage.folder / "headgate.toml"
        program = _program()
        self._hints = [
            f"{program} budget show --config {self._file}",
            f"{program} ledger verify --config {self._file}",
            f"{program} key list --config {self._file}",
            f"{program} status --config {self._file}",
        ]
        self._screen = Screen(Console(highlight=False), self._hints)

    async def run(self) -> Exit:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._over.set)
        judge = self._stage.rehearse(first_token_ms=350, event_ms=40, delta_events=40)
        port, house_port = free_port(), free_port()
        self._configure(port, house_port, judge.port)
        gate = Process(self._stage, port)
        gate.launch()
        self._stage.start(["serve", "--only", "house", "--config", "headgate.toml"], self._stage.folder / "house.log")
        await self._wait(gate)
        self._hints.append(f"kill -9 {gate.pid}   (the gate: it starts again, and no cent is lost)")
        company = Company(port, self._issue(gate), self._hear)
        shown = gate.issue_to("development", "you", {"user": "you"})
        self._key_id = shown.id
        self._begin(f"http://{LOCAL}:{port}/v1", shown.key, f"http://{LOCAL}:{house_port}")
        try:
            await self._watch(gate, company)
        finally:
            self._screen.end()
        return await self._end(gate, judge)

    def _configure(self, port: int, house_port: int, rehearsal_port: int) -> None:
        text = configuration.head(port, house_port, drain_seconds=END_SECONDS) + configuration.path("openai", rehearsal_port)
        for name, cap in CAPS.items():
            text += configuration.workspace(name, name, {"caps.month": f'"{cap}"', **_WORKSPACE, **(_OF_CI if name == "ci" else {})})
        self._stage.write(text.replace('"Trial"', '"Lamps & Daughters"'))

    def _issue(self, gate: Process) -> Mapping[tuple[str, str], str]:
        people = {(person.name, person.workspace): person.facts for person in STAFF}
        return {(name, workspace): gate.issue_to(workspace, name, facts).key for (name, workspace), facts in people.items()}

    async def _wait(self, gate: Process) -> None:
        until = time.monotonic() + 60
        while not gate.up():
            if time.monotonic() > until:
                raise CannotStart("the gate does not come up within a minute")
            await asyncio.sleep(0.02)

    def _begin(self, base_url: str, key: str, console: str) -> None:
        if self._as_json:
            self._line({"base_url": base_url, "key": key, "model": MODEL, "console": console})
            return
        body = msgspec.json.encode({"model": MODEL, "input": "Say hello."}).decode()
        self._screen.begin(
            [
                "Headgate demo: a gate, a rehearsal and a sample company. Nothing costs money.",
                f"  base URL  {base_url}    console  {console}",
                f"  key       {key}",
                f"curl {base_url}/responses -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{body}'",
            ]
        )

    async def _watch(self, gate: Process, company: Company) -> None:
        """Until it is told to end: the company works, the gate is started again should it die, the screen shows it."""
        began = time.monotonic()
        work = asyncio.create_task(company.work())
        book = open_book(self._stage.folder)
        frame = 0
        try:
            while not self._over.is_set() and (self._seconds is None or time.monotonic() - began < self._seconds):
                if gate.died():
                    self._say(
                        "gate", "gate", "was killed. It starts again on the same ledger; what was open is in doubt, and counts in full"
                    )
                    gate.launch()
                self._follow_log()
                purses = self._purses(book)
                if not self._as_json:
                    self._screen.show(purses, company, self._answered, self._refused)
                elif frame % FRAMES_A_SECOND == 0:
                    self._line({"event": "money", "workspaces": purses})
                frame += 1
                await asyncio.wait({work}, timeout=1 / FRAMES_A_SECOND)
                if work.done():
                    work.result()
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            book.close()

    # -- what happens ------------------------------------------------------------------------------------------------

    def _hear(self, event: Event) -> None:
        if event.kind in ("answered", "shortened"):
            self._answered += 1
        else:
            self._refused += 1
        if event.code == "budget_exhausted":
            self._stopped.add(event.workspace)
        if self._as_json:
            self._line({"event": event.kind, "who": event.who, "workspace": event.workspace, "model": event.model, "code": event.code})
        elif event.kind != "answered" and time.monotonic() - self._told.get(f"{event.kind} {event.who}", 0) >= REFUSALS_TOLD_S:
            self._told[f"{event.kind} {event.who}"] = time.monotonic()
            sentence = event.message or "got a shortened answer, so that it still fits the budget"
            self._say(event.kind, f"{event.who} ({event.workspace})", sentence)

    def _follow_log(self) -> None:
        """What the gate wrote since the last look: the calls of whoever tries the key, and its own starts."""
        file = self._stage.folder / "gate.log"
        with file.open("rb") as log:
            log.seek(self._read)
            text = log.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            try:
                said = _decoder.decode(line)
            except msgspec.MsgspecError:
                continue
            if said.event == "listening" and said.doubted:
                self._say("gate", "gate", f"is up again; {said.doubted} calls were open when it was killed, and are in doubt")
            elif said.key == self._key_id and said.event == "exchange":
                self._answered += 1
                self._say("you", "you", f"{said.model}: held {_cents(said.held_nano)}, {said.ending}, charged {_cents(said.charged_nano)}")
            elif said.key == self._key_id and said.event == "refused":
                self._refused += 1
                self._say("you", "you", f"refused: {said.reason}")

    def _say(self, kind: str, who: str, sentence: str) -> None:
        if self._as_json:
            self._line({"event": kind, "who": who, "message": sentence})
        else:
            self._screen.say(Said(time.strftime("%H:%M:%S"), kind, who, sentence))

    def _purses(self, book: Database) -> list[Purse]:
        lines = {line.scope: line for line in budgets(book, time.time_ns() // 1000) if line.rule.endswith("/month/money")}
        purses: list[Purse] = []
        for name, cap in CAPS.items():
            line = lines.get(f"workspace:{name}")
            posted, held = (line.posted, line.held) if line is not None else (0, 0)
            purses.append(Purse(name, parse_dollars(cap), posted, held, name in self._stopped))
        return purses

    def _line(self, value: object) -> None:
        sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
        sys.stdout.flush()

    # -- the end -----------------------------------------------------------------------------------------------------

    async def _end(self, gate: Process, judge: Judge) -> Exit:
        """Let go of the gate as an operator does, then hold its book against the rehearsal's meter."""
        await asyncio.get_running_loop().run_in_executor(None, gate.stop)
        billed = sum(call.billed_nano_ceiling for call in judge.calls())
        book = open_book(self._stage.folder)
        report = verify(book)
        purses = self._purses(book)
        doubted = sum(line.suspect for line in budgets(book, time.time_ns() // 1000) if line.rule.endswith("/month/money"))
        book.close()
        posted = sum(purse.posted for purse in purses)
        if self._as_json:
            self._line(
                {
                    "event": "end", "billed_nano": billed, "posted_nano": posted, "doubted_nano": doubted,
                    "workspaces": purses, "holds": report.holds, "findings": report.found,
                }
            )  # fmt: skip
        else:
            Console(highlight=False).print(finale(posted, doubted, billed, purses, report.found, report.holds))
            if self._stage.keep:
                click.echo(f"The data folder is {self._stage.folder}")
        return Exit.DONE if report.whole else Exit.FINDINGS


def _program() -> str:
    """What to type here to call this program."""
    called = sys.argv[0]
    if os.path.basename(called) != "headgate":
        return "python -m headgate"
    return "headgate" if shutil.which("headgate") == os.path.abspath(called) else os.path.relpath(called)


def _cents(nano: int) -> str:
    return f"${nano // 10**9}.{nano % 10**9 // 1000:06d}"


_decoder = msgspec.json.Decoder(_LogLine)
