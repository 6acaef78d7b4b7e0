"""The gate's counts and the book's balances as Prometheus metrics. Labels are names of the configuration, never of callers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from headgate.control.reports import BudgetLine

PREFIX = "headgate_"
HISTOGRAM = "exchange_milliseconds"

# Scopes of these rules are names of the configuration; others (a user, a session) are the callers' own and stay out.
BOUNDED_SCOPES = ("organisation:", "workspace:", "path:", "commitment:")

Counts = Sequence[tuple[list[str], int]]


def render(counts: Counts, budgets: Iterable[BudgetLine], gauges: dict[str, int]) -> bytes:
    """The whole page. Amounts stay whole numbers of nano-dollars: a metric is read by programs."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(counts, budgets, gauges))
    return generate_latest(registry)


class _Snapshot(Collector):
    def __init__(self, counts: Counts, budgets: Iterable[BudgetLine], gauges: dict[str, int]) -> None:
        self._counts = counts
        self._budgets = budgets
        self._gauges = gauges

    def collect(self) -> Iterable[Metric]:
        for name, value in self._gauges.items():
            yield GaugeMetricFamily(PREFIX + name, name.replace("_", " "), value=value)
        yield from self._counters()
        yield from self._histograms()
        yield from self._balances()

    def _counters(self) -> Iterable[Metric]:
        families: dict[str, CounterMetricFamily] = {}
        for labels, count in self._counts:
            name, names, values = labels[0], labels[1::2], labels[2::2]
            if name.startswith(HISTOGRAM):
                continue
            family = families.get(name)
            if family is None:
                family = families[name] = CounterMetricFamily(PREFIX + name.removesuffix("_total"), name.replace("_", " "), labels=names)
            family.add_metric(values, count)
        yield from families.values()

    def _histograms(self) -> Iterable[Metric]:
        buckets: dict[str, dict[str, int]] = defaultdict(dict)
        sums: dict[str, int] = {}
        for labels, count in self._counts:
            if labels[0] == HISTOGRAM:
                buckets[labels[2]][labels[4]] = count
            elif labels[0] == f"{HISTOGRAM}_sum":
                sums[labels[2]] = count
        family = HistogramMetricFamily(PREFIX + HISTOGRAM, "how long a call took, milliseconds", labels=["workspace"])
        for workspace, found in buckets.items():
            total, cumulative = 0, list[tuple[str, float]]()
            for bound in sorted((bound for bound in found if bound != "+Inf"), key=int):
                total += found[bound]
                cumulative.append((bound, total))
            cumulative.append(("+Inf", total + found.get("+Inf", 0)))
            family.add_metric([workspace], cumulative, sums.get(workspace, 0))
        yield family

    def _balances(self) -> Iterable[Metric]:
        names = ("cap", "posted", "held", "suspect", "overrun")
        families = {
            name: GaugeMetricFamily(f"{PREFIX}budget_{name}", f"{name} of a budget, nano-dollars or tokens", labels=["rule", "scope"])
            for name in names
        }
        for line in self._budgets:
            if line.scope.startswith(BOUNDED_SCOPES):
                for name, value in zip(names, (line.cap, line.posted, line.held, line.suspect, line.overrun), strict=True):
                    families[name].add_metric([line.rule, line.scope], value)
        yield from families.values()
