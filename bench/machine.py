"""What the machine is, how busy it is apart from us, and what our processes cost it."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# More than this share of a core for others, and a run says more about them than about us.
MOST_FOR_OTHERS = 0.08


def two_cores() -> tuple[int, int]:
    """The core of the tools and the core of the system under test."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("bench: needs two cores, one for the load and one for the system under test; this process has one.")
    return cores[0], cores[1]


def raise_file_limit() -> None:
    """Lets this process and what it starts hold as many connections as it may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def describe() -> dict[str, str | int]:
    """The machine as history keeps it; no name and no address."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": models[0].partition(":")[2].strip() if models else "unknown",
        "cores": os.cpu_count() or 0,
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "nginx": _nginx_version(),
    }


def _nginx_version() -> str:
    if shutil.which("nginx") is None:
        return "absent"
    return subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=False).stderr.strip().rpartition("/")[2]


def commit() -> str:
    """The commit measured, with `+` when the checkout has changes that are not in it."""
    head = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    changed = subprocess.run(["git", "status", "--porcelain", "src"], capture_output=True, text=True, check=False).stdout.strip()
    return (head or "unknown") + ("+" if changed else "")


def family(root: int) -> list[int]:
    """A process and all that descend from it."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it ended while we looked
            parents[int(folder.name)] = int(fields[1])
    members = [root]
    for member in members:
        members.extend(child for child, parent in parents.items() if parent == member)
    return members


def cpu_seconds(root: int) -> float:
    """Processor time of a process and its descendants, their threads included."""
    total = 0
    for member in family(root):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICKS_PER_SECOND


def memory_kib(root: int) -> int:
    """Proportional memory of a process and its descendants; memory the kernel holds for sockets is not in it."""
    total = 0
    for member in family(root):
        try:
            lines = Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def core_busy_seconds(core: int) -> float:
    """How long a core has done anything at all, time taken by the host included."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
            return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND
    raise RuntimeError(f"core {core} is not in /proc/stat")


@dataclass(frozen=True, slots=True)
class Sample:
    """Processor time at one moment, in seconds."""

    at: float
    tools_core: float
    system_core: float
    tools: float
    system: float


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of a core between two samples; others are what is left when our own processes are taken away."""

    tools: float
    system: float
    others_beside_tools: float
    others_beside_system: float

    @property
    def quiet(self) -> bool:
        return max(self.others_beside_tools, self.others_beside_system) <= MOST_FOR_OTHERS


def sample(tools_core: int, system_core: int, tools: list[int], system: int | None) -> Sample:
    return Sample(
        at=time.monotonic(),
        tools_core=core_busy_seconds(tools_core),
        system_core=core_busy_seconds(system_core),
        tools=sum(cpu_seconds(tool) for tool in tools),
        system=0.0 if system is None else cpu_seconds(system),
    )


def shares(first: Sample, last: Sample) -> Shares:
    seconds = last.at - first.at
    tools = (last.tools - first.tools) / seconds
    system = (last.system - first.system) / seconds
    return Shares(
        tools=tools,
        system=system,
        others_beside_tools=max(0.0, (last.tools_core - first.tools_core) / seconds - tools),
        others_beside_system=max(0.0, (last.system_core - first.system_core) / seconds - system),
    )


def fsync_us(folder: Path, times: int = 200) -> float:
    """The median time of making 4 KB durable where the ledger lies: the part of the added latency that belongs to the disk."""
    file = folder / "fsync"
    taken: list[float] = []
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        for number in range(times):
            os.pwrite(descriptor, b"x" * 4096, 4096 * number)
            start = time.perf_counter()
            os.fdatasync(descriptor)
            taken.append(time.perf_counter() - start)
    finally:
        os.close(descriptor)
        file.unlink()
    return statistics.median(taken) * 1e6
