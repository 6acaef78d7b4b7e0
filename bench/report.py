"""What a sitting found: the table that is printed, the lines that history keeps."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from pathlib import Path

from bench.measure import Run
from bench.workloads import Workload

HISTORY = Path(__file__).parent / "history" / "runs.jsonl"
_COLUMNS = "{:12} {:9} {:>10} {:26} {:>8} {:>7} {:>9} {:>8} {:>8} {:>8} {:>6} {:>6}  {}"
_TITLES = (
    "workload",
    "system",
    "value",
    "unit",
    "of nginx",
    "spread",
    "p99 us",
    "/cpu-s",
    "of nginx",
    "its core",
    "tools",
    "others",
    "notes",
)
HEAD = _COLUMNS.format(*_TITLES)


@dataclass(frozen=True, slots=True)
class Row:
    """One workload on one system: the median of its runs. `value` None: a run had errors, and no figure may be taken from it."""

    workload: Workload
    system: str
    value: float | None
    ratio_to_nginx: float | None
    per_cpu_second: float | None  # what one second of its processor carries: holds where the load's core is the limit, or others are busy
    per_cpu_second_to_nginx: float | None
    spread: float
    tail_us: float
    runs: tuple[Run, ...]
    complaint: str | None

    @property
    def quiet(self) -> bool:
        return all(run.shares.quiet for run in self.runs)

    @property
    def system_share(self) -> float:
        return statistics.median([run.shares.system for run in self.runs])

    @property
    def tools_share(self) -> float:
        return statistics.median([run.shares.tools for run in self.runs])

    @property
    def others_share(self) -> float:
        return max(max(run.shares.others_beside_system, run.shares.others_beside_tools) for run in self.runs)

    @property
    def kib_a_stream(self) -> float | None:
        sizes = [run.kib_a_stream for run in self.runs if run.kib_a_stream is not None]
        return statistics.median(sizes) if sizes else None


def rows_of(workload: Workload, runs: dict[str, list[Run]]) -> list[Row]:
    """A row for each system, in the order given."""
    direct = _median(workload, runs.get("direct", []))
    values = {system: _figure(workload, system_runs, direct) for system, system_runs in runs.items()}
    carried = {system: _per_cpu_second(workload, system_runs, values[system]) for system, system_runs in runs.items()}
    rows: list[Row] = []
    for system, system_runs in runs.items():
        value = values[system]
        raw = [run.value(workload.figure) for run in system_runs]
        middle = statistics.median(raw)
        rows.append(
            Row(
                workload=workload,
                system=system,
                value=value,
                ratio_to_nginx=_ratio(value, values.get("nginx")),
                per_cpu_second=carried[system],
                per_cpu_second_to_nginx=_ratio(carried[system], carried.get("nginx")),
                spread=(max(raw) - min(raw)) / middle if middle else 0.0,
                tail_us=statistics.median([run.tail(workload.figure) for run in system_runs]),
                runs=tuple(system_runs),
                complaint=next((run.complaint for run in system_runs if run.complaint), None),
            )
        )
    return rows


def _median(workload: Workload, runs: list[Run]) -> float | None:
    """None when there is no run or one of them had an error."""
    if not runs or any(run.complaint for run in runs):
        return None
    return statistics.median([run.value(workload.figure) for run in runs])


def _figure(workload: Workload, runs: list[Run], direct: float | None) -> float | None:
    value = _median(workload, runs)
    if value is None or not workload.figure.is_time:
        return value
    return None if direct is None else value - direct


def _per_cpu_second(workload: Workload, runs: list[Run], value: float | None) -> float | None:
    """None where there is no figure, where the figure is a time, and where the system is the upstream itself."""
    share = statistics.median([run.shares.system for run in runs]) if runs else 0.0
    return None if value is None or workload.figure.is_time or share < 0.01 else value / share


def _ratio(value: float | None, other: float | None) -> float | None:
    return value / other if value is not None and other else None


def line(row: Row) -> str:
    value = "INVALID" if row.value is None else f"{row.value:,.0f}"
    ratio, carried_ratio = ("-" if found is None else f"{found:.3f}" for found in (row.ratio_to_nginx, row.per_cpu_second_to_nginx))
    carried = "-" if row.per_cpu_second is None else f"{row.per_cpu_second:,.0f}"
    notes = [row.complaint] if row.complaint else []
    if row.kib_a_stream is not None:
        notes.append(f"{row.kib_a_stream:.0f} KiB a stream")
    if row.tools_share > 0.95:
        notes.append("the core of the load was full")
    if any(run.load.unsent > run.load.sent // 100 for run in row.runs):
        notes.append("could not keep the rate")
    if not row.quiet:
        notes.append("NOT QUIET")
    cores = (f"{share:.0%}" for share in (row.system_share, row.tools_share, row.others_share))
    unit = row.workload.figure.value
    start = (row.workload.name, row.system, value, unit, ratio, f"{row.spread:.1%}", f"{row.tail_us:,.0f}", carried, carried_ratio)
    words = (*start, *cores, "; ".join(notes))
    return _COLUMNS.format(*words).rstrip()


@dataclass(frozen=True, slots=True)
class Sitting:
    """What all rows of one sitting have in common."""

    at: str
    commit: str
    machine: dict[str, str | int]
    fsync_us: float


def keep(rows: list[Row], sitting: Sitting, file: Path = HISTORY) -> None:
    """Appends one JSON line a row; the bad ones too."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as history:
        for row in rows:
            history.write(json.dumps(_record(row, sitting), separators=(",", ":")) + "\n")


def _record(row: Row, sitting: Sitting) -> dict[str, object]:
    return {
        "at": sitting.at,
        "commit": sitting.commit,
        "workload": row.workload.name,
        "system": row.system,
        "value": _rounded(row.value),
        "unit": row.workload.figure.value,
        "ratio_to_nginx": _rounded(row.ratio_to_nginx, 4),
        "spread": _rounded(row.spread, 4),
        "runs": [_rounded(run.value(row.workload.figure)) for run in row.runs],
        "seconds": _rounded(row.runs[0].load.seconds),
        "p99_us": _rounded(row.tail_us),
        "per_cpu_second": _rounded(row.per_cpu_second),
        "per_cpu_second_to_nginx": _rounded(row.per_cpu_second_to_nginx, 4),
        "system_core": _rounded(row.system_share, 3),
        "tools_core": _rounded(row.tools_share, 3),
        "kib_a_stream": _rounded(row.kib_a_stream),
        "quiet": row.quiet,
        "others_core": _rounded(row.others_share, 3),
        "complaint": row.complaint,
        "fsync_us": _rounded(sitting.fsync_us),
        "machine": sitting.machine,
    }


def _rounded(value: float | None, places: int = 1) -> float | None:
    return None if value is None else round(value, places)
