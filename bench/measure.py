"""One run: one workload against one system, with what it cost and who else was there."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass

from bench.machine import Shares, memory_kib, sample, shares
from bench.systems import System
from bench.tools import Load, ToolError, Upstream, load_command, read_load
from bench.workloads import Figure, Workload

WARM_UP_SECONDS = 0.7
SETTLE_SECONDS = 0.3
# The processor is watched inside the measured time, this far from both its ends.
MARGIN_SECONDS = 0.15


@dataclass(frozen=True, slots=True)
class Run:
    load: Load
    shares: Shares
    kib_a_stream: float | None
    complaint: str | None  # why no figure may be taken from it

    def value(self, figure: Figure) -> float:
        """As measured; a time is not yet what the system adds."""
        match figure:
            case Figure.REQUESTS:
                return self.load.per_second
            case Figure.EVENTS:
                return self.load.events_per_second
            case Figure.ADDED_LATENCY:
                return self.load.latency_us.p50
            case Figure.ADDED_FIRST_EVENT:
                return self.load.first_byte_us.p50

    def tail(self, figure: Figure) -> float:
        """The 99th percentile that belongs to the figure, in microseconds."""
        match figure:
            case Figure.EVENTS:
                return self.load.event_delay_us.p99
            case Figure.ADDED_FIRST_EVENT:
                return self.load.first_byte_us.p99
            case Figure.REQUESTS | Figure.ADDED_LATENCY:
                return self.load.latency_us.p99


def measure(workload: Workload, system: System, upstream: Upstream, cores: tuple[int, int], seconds: float) -> Run:
    """Runs once. A run with an error in it is returned too, with its complaint."""
    tools_core, system_core = cores
    # Cuts the streams that the run before left open: a gate reads on after its client has gone, and would do so during this run.
    upstream.set(**workload.upstream)
    time.sleep(SETTLE_SECONDS)
    memory_before = None if system.pid is None else memory_kib(system.pid)
    command = load_command(tools_core, system.port, workload.arguments(system.key, seconds, WARM_UP_SECONDS))
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stderr is not None
    try:
        tools = [process.pid, upstream.process.pid]
        said = process.stderr.readline()
        if said != "measuring\n":
            raise ToolError(f"The load generator did not begin: {said}")
        time.sleep(MARGIN_SECONDS)
        first = sample(tools_core, system_core, tools, system.pid)
        time.sleep(workload.seconds(seconds) - 2 * MARGIN_SECONDS)
        last = sample(tools_core, system_core, tools, system.pid)
        memory_after = None if system.pid is None else memory_kib(system.pid)
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    if process.returncode != 0:
        raise ToolError(f"The load generator ended with {process.returncode}.")
    kib_a_stream = None
    if workload.figure is Figure.EVENTS and memory_before is not None and memory_after is not None:
        kib_a_stream = (memory_after - memory_before) / workload.connections
    load = read_load(out)
    complaint = load.complaint(workload.connections if workload.events == 0 else None)
    return Run(load, shares(first, last), kib_a_stream, complaint)
