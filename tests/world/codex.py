"""The real Codex CLI in a house of its own: its configuration, a small repository with a bug in it, and what a developer would see."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.world.worldhouse import PATIENCE_S

TASK = "Fix the bug in calc.py: add() must return the sum. Check it."
BUG = "def add(a, b):\n    return a - b\n"

# Nothing but the provider is spoken to; retries are few and the ways that docs/first-call.md names are the ones taken.
_CONFIGURATION = """\
{top}
check_for_update_on_startup = false

{provider}

[features]
plugins = false
apps = false
unbounded_connection_retries = false
# The terminal would start a server of its own in the background, which outlives it.
daemon_auto_start = false

[analytics]
enabled = false

[feedback]
enabled = false

[projects."{repository}"]
trust_level = "trusted"
"""
_PROVIDER = """\
[model_providers.headgate]
name = "Headgate"
base_url = "{base_url}"
wire_api = "responses"
{more}
{credential}
"""
_KEY = """\
env_key = "HEADGATE_KEY"
env_key_instructions = "Ask the owner of your workspace for a Headgate key."
"""
_COMMAND = """\
[model_providers.headgate.auth]
command = "sh"
args = ["-c", "{command}"]
"""
_ESCAPE = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-Z\\-_=>78]")


@dataclass(frozen=True)
class Ran:
    """One run to its end."""

    code: int
    last: str  # standard output: the last message
    shown: str  # standard error: everything else


class Codex:
    """One developer. `more` are lines of the provider; `command` prints the key, which otherwise is in the environment; without `provider`
    it is the built-in one at our address; model None leaves Codex its own default.
    """

    def __init__(
        self, program: Path, folder: Path, base_url: str, key: str, *, model: str | None = "gpt-5.5", more: str = "",
        provider: bool = True, command: str = "", remote: str = "https://git.example.test/acme/payments.git",
    ) -> None:  # fmt: skip
        self.program = program
        self.home, self.repository = folder / "codex", folder / "payments"
        home_of_user = folder / "user"
        for made in (self.home, self.repository, home_of_user):
            made.mkdir(parents=True)
        chosen = [f'model = "{model}"'] if model is not None else []
        chosen += ['model_provider = "headgate"'] if provider else [f'openai_base_url = "{base_url}"']
        credential = _COMMAND.format(command=command) if command else _KEY
        own = _PROVIDER.format(base_url=base_url, more=more, credential=credential) if provider else ""
        (self.home / "config.toml").write_text(_CONFIGURATION.format(top="\n".join(chosen), provider=own, repository=self.repository))
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(home_of_user), "CODEX_HOME": str(self.home), "HEADGATE_KEY": key, "CODEX_API_KEY": key,
            "NO_COLOR": "1", "TERM": "dumb", "LANG": "C.UTF-8", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull,
        }  # fmt: skip
        if provider:
            del self.environment["CODEX_API_KEY"]
        (self.repository / "calc.py").write_text(BUG)
        author = ("-c", "user.name=dev", "-c", "user.email=dev@example.test")
        for words in (
            ("init", "--quiet", "--initial-branch=main"), ("add", "calc.py"), (*author, "commit", "--quiet", "--message=Begin"),
            ("remote", "add", "origin", remote),
        ):  # fmt: skip
            subprocess.run(["git", *words], cwd=self.repository, env=self.environment, check=True, capture_output=True, timeout=PATIENCE_S)

    @property
    def mended(self) -> bool:
        return "return a + b" in (self.repository / "calc.py").read_text()

    def start(self, prompt: str = TASK, *options: str) -> subprocess.Popen[str]:
        return self.run("exec", "--dangerously-bypass-approvals-and-sandbox", *options, prompt)

    def run(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.program), *arguments],
            cwd=self.repository,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def exec(self, prompt: str = TASK, *options: str) -> Ran:
        """`codex exec`, to its end."""
        return ended(self.start(prompt, *options))


def end(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """Ends all of it: the program that npm installs only starts the real one."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(PATIENCE_S)


def left_running(folder: Path) -> list[str]:
    """Programs that still work in or under the folder."""
    found: list[str] = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended while we looked
            if (process / "cwd").readlink().is_relative_to(folder) or (process / "exe").readlink().is_relative_to(folder):
                found.append(f"{process.name} {(process / 'exe').readlink()}")
    return found


def ended(process: subprocess.Popen[str]) -> Ran:
    try:
        last, shown = process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        end(process)
        last, shown = process.communicate()
        raise AssertionError(f"Codex did not come to an end:\n{shown}\n{last}") from None
    return Ran(process.returncode, last, shown)


class Terminal:
    """A terminal with the TUI in it."""

    def __init__(self, codex: Codex, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self._process = subprocess.Popen(
            [str(codex.program), *arguments],
            cwd=codex.repository, env={**codex.environment, "TERM": "xterm-256color"}, stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self._bytes = b""

    @property
    def shown(self) -> str:
        """What was written so far, without the commands to the terminal."""
        return _ESCAPE.sub("", self._bytes.decode("utf-8", "replace"))

    def read(self, seconds: float = 0.05) -> None:
        """What comes within so long; the questions that a real terminal answers are answered."""
        while select.select([self._master], [], [], seconds)[0]:
            try:
                piece = os.read(self._master, 65536)
            except OSError:
                return
            self._bytes += piece
            if b"\x1b[6n" in piece:
                os.write(self._master, b"\x1b[1;1R")
            if b"\x1b[c" in piece:
                os.write(self._master, b"\x1b[?62;c")

    def shows(self, text: str) -> bool:
        """Whether the text was written. A terminal moves its cursor where a text has a space or goes on in another line."""
        return "".join(text.split()) in "".join(self.shown.split())

    def until(self, look: Callable[[], bool], what: str) -> None:
        ends = time.monotonic() + PATIENCE_S
        while not look():
            assert time.monotonic() < ends, f"waited in vain: {what}\n{self.shown[-4000:]}"
            self.read()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        end(self._process)
        os.close(self._master)
