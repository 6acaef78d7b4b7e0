"""The benchmark: `make bench`, or `python -m bench.run [--workload W1 …] [--system nginx …] [--runs 3] [--seconds 3]`.

The systems take turns within one sitting, so that what the machine does in an hour falls on all of them. A ratio measured this way means
something; the absolute figures mean this machine, at this time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from bench import machine
from bench.make_data import make_data
from bench.measure import Run, measure
from bench.report import HEAD, Row, Sitting, keep, line, rows_of
from bench.systems import STARTERS, available, running
from bench.tools import BUILD, ToolError, Upstream, compile_tools
from bench.workloads import WORKLOADS, Workload

# A run that others disturbed is made again this often; the quietest is kept.
MOST_REPEATS = 2


def main(words: list[str] | None = None) -> int:
    options = _options(words)
    cores = machine.two_cores()
    machine.raise_file_limit()
    try:
        compile_tools()
    except ToolError as error:
        print(f"bench: {error}")
        return 1
    make_data()
    wanted = set(options.system)
    if any(WORKLOADS[name].figure.is_time for name in options.workload):
        wanted.add("direct")  # a time is what a system adds to it
    names = available([name for name in STARTERS if name in wanted])
    # The ledger lies beside the build, not in a temporary folder: that is memory on many machines, and memory knows no fsync.
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="sitting-") as folder:
        sitting = Sitting(
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            commit=machine.commit(),
            machine=machine.describe(),
            fsync_us=machine.fsync_us(Path(folder)),
        )
        print(
            f"commit {sitting.commit}; fsync {sitting.fsync_us:.0f} us;",
            ", ".join(f"{name} {value}" for name, value in sitting.machine.items()),
        )
        print("tools on core {}, system under test on core {}; median of {} runs of {} s".format(*cores, options.runs, options.seconds))
        print(HEAD)
        failed = False
        for name in options.workload:
            try:
                rows = _sit(WORKLOADS[name], names, Path(folder) / name, cores, options)
            except (RuntimeError, ToolError) as error:
                print(f"bench: {name}: {error}")
                failed = True
                continue
            for row in rows:
                print(line(row), flush=True)
            failed |= any(row.complaint for row in rows)
            if not options.no_history:
                keep(rows, sitting)
    return 1 if failed else 0


def _sit(workload: Workload, names: list[str], folder: Path, cores: tuple[int, int], options: argparse.Namespace) -> list[Row]:
    """All runs of one workload, on systems that are new for it."""
    runs: dict[str, list[Run]] = {name: [] for name in names}
    with ExitStack() as stack:
        upstream = stack.enter_context(Upstream(cores[0]))
        systems = [stack.enter_context(running(name, folder / name, upstream.port, cores[1])) for name in names]
        for _ in range(options.runs):
            for system in systems:
                tried: list[Run] = []
                while len(tried) <= MOST_REPEATS and (not tried or not tried[-1].shares.quiet):
                    tried.append(measure(workload, system, upstream, cores, options.seconds))
                runs[system.name].append(min(tried, key=_others))
    return rows_of(workload, runs)


def _others(run: Run) -> float:
    return run.shares.others_beside_system + run.shares.others_beside_tools


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Measures the gate beside nginx.")
    parser.add_argument("--workload", nargs="+", choices=list(WORKLOADS), default=list(WORKLOADS), help="all of them by default")
    parser.add_argument("--system", nargs="+", choices=list(STARTERS), default=list(STARTERS), help="all of them by default")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each run; streams run longer")
    parser.add_argument("--no-history", action="store_true", help="print only")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
