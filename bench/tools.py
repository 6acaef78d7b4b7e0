"""Compiles and drives the two C tools: the load generator and the mock upstream. `python -m bench.tools FOLDER` only compiles them."""

from __future__ import annotations

import http.client
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType

import msgspec

HERE = Path(__file__).parent
BUILD = HERE / "build"
COMPILER = ("gcc", "-std=gnu11", "-O3", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror")


class ToolError(Exception):
    """A tool could not be built or did not do what it was told."""


class Times(msgspec.Struct, frozen=True):
    """Microseconds."""

    count: int
    p50: float
    p90: float
    p99: float
    max: float


class Load(msgspec.Struct, frozen=True):
    """What the load generator printed; bench/load/report.h says what each count means."""

    seconds: float
    per_second: float
    events_per_second: float
    good: int
    not_2xx: int
    short_answers: int
    transport_errors: int
    connect_errors: int
    sent: int
    answered: int
    unanswered: int
    streaming: int
    unsent: int
    events: int
    latency_us: Times
    first_byte_us: Times
    event_delay_us: Times
    statuses: dict[str, int]

    def complaint(self, open_streams: int | None = None) -> str | None:
        """Why no figure may be taken from this run, or None. `open_streams`: how many streams must be open at its end."""
        counts = {
            "answers other than 2xx": self.not_2xx,
            "answers with events missing": self.short_answers,
            "broken connections": self.transport_errors,
            "connections refused": self.connect_errors,
        }
        found = [f"{count} {what}" for what, count in counts.items() if count]
        if found and self.statuses:
            found.append("statuses " + ", ".join(f"{status}: {count}" for status, count in self.statuses.items()))
        if open_streams is not None and self.streaming < open_streams:
            found.append(f"{self.streaming} of {open_streams} streams open")
        if open_streams is None and self.good == 0:
            found.append("no answer")
        return "; ".join(found) or None


def compile_tools(folder: Path = BUILD) -> None:
    """Compiles what is newer than its program."""
    if shutil.which(COMPILER[0]) is None:
        raise ToolError("The benchmark needs gcc (Debian and Ubuntu: apt-get install gcc libc6-dev).")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("load", "upstream"):
        program = folder / name
        sources = sorted((HERE / name).glob("*.c"))
        newest = max(file.stat().st_mtime for file in [*sources, *(HERE / name).glob("*.h"), HERE / "clock.h"])
        if program.exists() and program.stat().st_mtime > newest:
            continue
        done = subprocess.run([*COMPILER, "-o", str(program), *map(str, sources)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ToolError(f"{name} does not compile:\n{done.stderr}")


def pinned(core: int, command: list[str]) -> list[str]:
    """The command, on one core alone; all its threads and children stay there."""
    return ["taskset", "-c", str(core), *command]


class Upstream:
    """The mock upstream, running on a core of its own or on the load generator's."""

    def __init__(self, core: int, folder: Path = BUILD) -> None:
        command = pinned(core, [str(folder / "upstream"), "--port", "0", "--rehearsal"])
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert self.process.stdout is not None
        words = self.process.stdout.readline().split()
        if words[:1] != ["listening"]:
            raise ToolError("The mock upstream did not start.")
        self.port = int(words[1])

    def __enter__(self) -> Upstream:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.terminate()
        self.process.wait()

    def set(self, **settings: int | str) -> dict[str, int | str]:
        """Changes settings (bench/upstream/settings.h) and returns them with the counts."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/control?" + "&".join(f"{name}={value}" for name, value in settings.items()))
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise ToolError(f"The mock upstream did not take {settings}.")
        return msgspec.json.decode(body, type=dict[str, int | str])


def load_command(core: int, port: int, arguments: list[str], folder: Path = BUILD) -> list[str]:
    return pinned(core, [str(folder / "load"), "--port", str(port), *arguments])


def read_load(line: str) -> Load:
    return msgspec.json.decode(line, type=Load)


if __name__ == "__main__":
    compile_tools(Path(sys.argv[1]) if len(sys.argv) > 1 else BUILD)
