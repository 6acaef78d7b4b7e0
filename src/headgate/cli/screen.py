"""What the demo shows: money as bars, streams as they are written, what the gate said, and a line to try; drawn, or told line by line."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

import msgspec
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from headgate.money import show_dollars
from headgate.trials.company import Company, Line

FRAMES_A_SECOND = 6
MOST_EVENTS = 200
HINT_SECONDS = 8
PLAIN_SECONDS = 5  # between two tellings of the money where nothing can be drawn
LEAST_HEIGHT = 14
WIDE = 100  # columns; narrower, the figures are told shorter

STYLES = {"production": "green", "development": "cyan", "ci": "magenta"}
KINDS = {"refused": "red", "shortened": "yellow", "broken": "red", "gate": "bold yellow", "you": "bold white"}


class Purse(msgspec.Struct, frozen=True):
    """One workspace's month, in nano-dollars."""

    workspace: str
    cap: int
    posted: int
    held: int
    stopped: bool


class Said(msgspec.Struct, frozen=True):
    """One thing that happened, for people: when (local clock), of which kind, whose, and a sentence."""

    at: str
    kind: str
    who: str
    sentence: str


class Screen:
    """Draws on a terminal; elsewhere it prints a line when something happened and the money now and then."""

    def __init__(self, console: Console, hints: Sequence[str]) -> None:
        self._console = console
        self._hints = hints
        self._events: deque[Said] = deque(maxlen=MOST_EVENTS)
        self._began = time.monotonic()
        self._told_money = 0.0
        self._live: Live | None = None
        self._height = 0

    def begin(self, header: Sequence[str]) -> None:
        """The lines that stay: an address, a key, a call that works."""
        for line in header:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            used = sum(-(-max(len(line), 1) // self._console.width) for line in header)
            # The header stays in view where there is room for it; the picture is never smaller than it can be read.
            self._height = max(self._console.height - used - 1, min(LEAST_HEIGHT, self._console.height - 1))
            self._live = Live(Text(), console=self._console, auto_refresh=False, vertical_overflow="crop")
            self._live.start()

    def end(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def say(self, said: Said) -> None:
        self._events.append(said)
        if self._live is None:
            self._console.print(f"{said.at}  {said.who}: {said.sentence}", markup=False, highlight=False, soft_wrap=True)

    def show(self, purses: Sequence[Purse], company: Company, answered: int, refused: int) -> None:
        if self._live is not None:
            self._live.update(self._picture(purses, company, answered, refused), refresh=True)
        elif time.monotonic() - self._told_money >= PLAIN_SECONDS:
            self._told_money = time.monotonic()
            for purse in purses:
                self._console.print(_plain(purse), markup=False, highlight=False, soft_wrap=True)

    # -- the picture -------------------------------------------------------------------------------------------------

    def _picture(self, purses: Sequence[Purse], company: Company, answered: int, refused: int) -> RenderableType:
        width = self._console.width
        seconds = int(time.monotonic() - self._began)
        top = Text(
            f" Headgate demo  {seconds // 60:02d}:{seconds % 60:02d}   {answered:,} answered   {refused:,} refused ", style="reverse bold"
        )
        top.pad_right(max(0, width - len(top)))
        top.truncate(width)
        left = self._height - 2 - len(purses) - 2  # for the two lists, with a rule above each
        streams = max(2, min(len(company.lines) + 1, 9, left // 2))
        hint = self._hints[seconds // HINT_SECONDS % len(self._hints)]
        return Group(
            top,
            *(_bar(purse, width) for purse in purses),
            Rule("streams", style="dim", align="left"),
            _streams(company, streams, width),
            Rule("what the gate said", style="dim", align="left"),
            self._said(max(1, left - streams), width),
            Text.assemble((" try: ", "reverse"), " ", (hint, "bold"), no_wrap=True, overflow="ellipsis"),
        )

    def _said(self, height: int, width: int) -> RenderableType:
        lines: list[Text] = []
        for said in reversed(self._events):
            text = Text.assemble((f"{said.at} ", "dim"), (f"{said.who} ", KINDS.get(said.kind, "")), said.sentence)
            wrapped = list(text.wrap(self._console, width))[:3]
            if len(lines) + len(wrapped) > height:
                break
            lines[:0] = wrapped
        lines += [Text("")] * (height - len(lines))
        return Group(*lines)


def _bar(purse: Purse, width: int) -> Text:
    """Spent █, held ▒, left ·; the figures beside it, as far as there is room."""
    style = STYLES.get(purse.workspace, "white")
    left = purse.cap - purse.posted - purse.held
    if width < WIDE:
        figures = f" {_short(purse.posted)} + {_short(purse.held)} held of {_short(purse.cap)}"
    else:
        figures = f" {_short(purse.posted)} spent  {_short(purse.held)} held  {_short(left)} left of {_short(purse.cap)}"
    room = max(8, width - 13 - (36 if width < WIDE else 52))  # for the longest figures, so that the bars are of one length
    spent = min(room, -(-purse.posted * room // purse.cap))
    held = min(room - spent, -(-purse.held * room // purse.cap))
    name = (f"{purse.workspace:<12} ", f"bold {style}")
    ink = "red" if purse.stopped else style
    text = Text.assemble(name, ("█" * spent, ink), ("▒" * held, ink), ("·" * (room - spent - held), "dim"))
    if purse.stopped:
        text.append(" STOPPED AT ITS CAP ", "bold white on red").append(f" {_short(purse.posted)} of {_short(purse.cap)}")
    else:
        text.append(figures)
    text.truncate(width)
    return text


def _streams(company: Company, height: int, width: int) -> RenderableType:
    table = Table.grid(padding=(0, 1), expand=False)
    for _ in range(4):
        table.add_column(no_wrap=True)
    open_lines = sorted(company.lines.values(), key=lambda line: line.began)
    shown = [*open_lines[-height:]]
    for line in shown:
        table.add_row(*_row(line, width, ""))
    for line in list(company.finished)[::-1][: height - len(shown)]:
        table.add_row(*_row(line, width, "dim"))
    for _ in range(height - table.row_count):
        table.add_row()
    return table


def _row(line: Line, width: int, style: str) -> tuple[Text, ...]:
    name, what = f"{line.who:<11}"[:11], f"{line.what:<13}"[:13]
    room = max(10, width - 11 - 13 - 13 - 4)
    tail = " ".join(line.text.split())[-(room - 1) :] or "…"
    return (
        Text(name, style=style or STYLES.get(line.workspace, "")), Text(f"{line.model:<12}"[:12], style="dim"), Text(what, style="dim"),
        Text(tail, style=style, overflow="ellipsis"),
    )  # fmt: skip


def _plain(purse: Purse) -> str:
    left = purse.cap - purse.posted - purse.held
    stop = "  stopped at its cap" if purse.stopped else ""
    figures = f"{_short(purse.posted)} spent, {_short(purse.held)} held, {_short(left)} left of {_short(purse.cap)}{stop}"
    return f"          {purse.workspace:<12} {figures}"


def _short(nano: int) -> str:
    """Dollars with two to four decimals: enough to see it move."""
    whole, part = divmod(max(nano, 0), 1_000_000_000)
    return f"${whole:,}.{part // 10_000_000:02d}" if whole >= 10 else f"${whole}.{part // 100_000:04d}"


def finale(posted: int, doubted: int, billed_nano: int, purses: Sequence[Purse], findings: int, holds: int) -> Panel:
    """The last word: what the provider's meter says, and what the book says."""
    agree = "to the nano-dollar" if posted == billed_nano and not doubted else f"and {show_dollars(doubted)} is in doubt until it is known"
    lines = [
        f"The rehearsal's own meter billed {show_dollars(billed_nano)}; the ledger posted {show_dollars(posted)}, {agree}.",
        *(f"{purse.workspace}: {show_dollars(purse.posted)} of {show_dollars(purse.cap)}" for purse in purses),
        f"{holds:,} holds proved: {'nothing is wrong' if not findings else f'{findings} findings'}.",
    ]
    return Panel(Text("\n".join(lines)), title="the books", border_style="green" if not findings else "red", expand=False)
