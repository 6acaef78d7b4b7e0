"""Where the gate's microseconds go on W1: `python -m bench.profile [--seconds 5]`.

Takes the best of what the machine has: `perf` (whole truth, kernel included), `py-spy` (Python functions only), cProfile (the first
process only, and slower than life). Shares become microseconds a request through the processor time the gate used meanwhile.
"""

from __future__ import annotations

import argparse
import os
import pstats
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from bench import machine
from bench.headgate import Started, start_headgate
from bench.make_data import make_data
from bench.measure import Run, measure
from bench.systems import System, end_group
from bench.tools import BUILD, ToolError, Upstream, compile_tools
from bench.workloads import WORKLOADS

# The first pattern that fits the name of a shared object gives its subject.
SUBJECTS = (
    (r"^\[kernel|^\[vdso|^\[unknown\]$|^\[guest", "kernel"),
    (r"^libpython|^python3?", "libpython"),
    (r"^parser\.cpython|^url_parser\.cpython|llhttp", "httptools"),
    (r"^_core\.cpython", "msgspec"),
    (r"^loop\.cpython", "uvloop"),
    (r"apsw|sqlite|^__init__\.cpython", "sqlite"),  # apsw carries its SQLite in `apsw/__init__…so`
    (r"libcrypto|libssl|_hashlib|_sha|_blake|_hmac|_rust", "libcrypto"),
    (r"^libc\.|^libc-|^libpthread|^ld-linux|^libm", "libc"),
)
SAMPLES_PER_SECOND = 1999
_PERF_LINE = re.compile(r"^\s+([\d.]+)%\s+(\S.*?)\s*$")


def subject_of(shared_object: str) -> str:
    """`parser.cpython-311-x86_64-linux-gnu.so` is httptools; what nobody has named keeps its own name."""
    return next((subject for pattern, subject in SUBJECTS if re.search(pattern, shared_object)), shared_object)


def shares_of(report: str, subject: Callable[[str], str] = subject_of) -> dict[str, float]:
    """The shares, in percent, in the text of a `perf report` with one sort key."""
    shares: Counter[str] = Counter()
    for found in map(_PERF_LINE.match, report.splitlines()):
        if found:
            shares[subject(found[2])] += float(found[1])  # pyright: ignore[reportArgumentType] - a Counter counts fractions too
    return dict(shares.most_common())


def main() -> int:
    parser = argparse.ArgumentParser(prog="profile", description="Where the gate's time goes.")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--workload", choices=list(WORKLOADS), default="W1")
    parser.add_argument("--with", dest="tool", choices=list(TOOLS), help="by default the first that is there")
    options = parser.parse_args()
    machine.raise_file_limit()
    try:
        compile_tools()
        make_data()
        tool = options.tool or next(name for name, there in _THERE.items() if there())
        print(f"{options.workload} for {options.seconds} s under {tool}")
        with tempfile.TemporaryDirectory(dir=BUILD, prefix="profile-") as folder:
            TOOLS[tool](Path(folder), options.workload, options.seconds)
    except (RuntimeError, ToolError) as error:
        print(f"profile: {error}")
        return 1
    return 0


def _with_perf(folder: Path, workload: str, seconds: float) -> None:
    data = str(folder / "perf.data")

    def record(gate: Started) -> list[str]:
        members = ",".join(map(str, machine.family(gate.pid)))
        return ["perf", "record", "-q", "-F", str(SAMPLES_PER_SECOND), "-p", members, "-o", data]

    run = _run(folder, workload, seconds, record)
    _print_cost(run)
    _print_shares("subject", shares_of(_perf_report(data, "dso")), run)
    _print_shares("thread", shares_of(_perf_report(data, "pid"), str), run)
    _print_shares("function", dict(list(shares_of(_perf_report(data, "symbol"), str).items())[:25]), run)


def _perf_report(data: str, key: str) -> str:
    """Perf's key `pid` tells threads apart, by their own number."""
    command = ["perf", "report", "-i", data, "--stdio", "-F", f"overhead,{key}", "--percent-limit", "0.1"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _with_py_spy(folder: Path, workload: str, seconds: float) -> None:
    stacks = folder / "stacks"

    def record(gate: Started) -> list[str]:
        return ["py-spy", "record", "--subprocesses", "-r", "500", "-f", "raw", "-o", str(stacks), "-p", str(gate.pid)]

    run = _run(folder, workload, seconds, record)
    _print_cost(run)
    leaves: Counter[str] = Counter()
    for line in stacks.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        leaves[stack.rpartition(";")[2]] += int(count)
    total = sum(leaves.values()) or 1
    _print_shares("Python function at the top of the stack", {name: 100 * count / total for name, count in leaves.most_common(25)}, run)


def _with_cprofile(folder: Path, workload: str, seconds: float) -> None:
    out = folder / "cprofile"
    run = _run(folder, workload, seconds, None, (sys.executable, "-m", "cProfile", "-o", str(out)))
    if not out.exists():
        raise ToolError("the gate did not end in an orderly way, so cProfile wrote nothing")
    _print_cost(run)
    print("cProfile sees the first process and its first thread only, and makes short functions look dearer than they are.")
    pstats.Stats(str(out)).sort_stats("tottime").print_stats(25)


def _run(
    folder: Path,
    workload: str,
    seconds: float,
    recorder: Callable[[Started], list[str]] | None,
    python: tuple[str, ...] = (sys.executable,),
) -> Run:
    """Runs the workload against a new gate while the recorder's command watches it."""
    cores = machine.two_cores()
    with Upstream(cores[0]) as upstream:
        gate = start_headgate(folder, upstream.port, core=cores[1], python=python)
        watcher = None
        try:
            if recorder is not None:
                watcher = subprocess.Popen(recorder(gate), stderr=subprocess.DEVNULL)
            run = measure(WORKLOADS[workload], System("headgate", gate.port, gate.key, gate.pid), upstream, cores, seconds)
        finally:
            if watcher is not None:
                watcher.send_signal(2)  # both recorders write what they have on SIGINT
                watcher.wait()
            end_group(gate.pid)
    if run.complaint is not None:
        raise ToolError(f"the run had errors, so its profile means nothing: {run.complaint}")
    return run


def _microseconds_a_request(run: Run) -> float:
    return run.shares.system * 1e6 / run.load.per_second if run.load.per_second else 0.0


def _print_cost(run: Run) -> None:
    quiet = "" if run.shares.quiet else "; NOT QUIET: others used these cores too"
    print(
        f"{run.load.per_second:,.0f} requests/s, {_microseconds_a_request(run):.1f} us of processor time a request, "
        f"its core {run.shares.system:.0%}, the core of the load {run.shares.tools:.0%}{quiet}"
    )
    print("(the recorder costs some of it: compare shares, not this figure, with other runs)")


def _print_shares(what: str, shares: Mapping[str, float], run: Run) -> None:
    each = _microseconds_a_request(run)
    print(f"\n{'us/request':>10} {'share':>6}  {what}")
    for name, share in shares.items():
        if share >= 0.3:
            print(f"{share / 100 * each:>10.2f} {share:>5.1f}%  {name}")


TOOLS: dict[str, Callable[[Path, str, float], None]] = {"perf": _with_perf, "py-spy": _with_py_spy, "cprofile": _with_cprofile}
_THERE: dict[str, Callable[[], bool]] = {
    "perf": lambda: shutil.which("perf") is not None and os.geteuid() == 0,
    "py-spy": lambda: shutil.which("py-spy") is not None,
    "cprofile": lambda: True,
}


if __name__ == "__main__":
    sys.exit(main())
