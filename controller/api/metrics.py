"""What Prometheus is told, read from the stores when it asks: nothing is counted twice, and nothing is lost with a process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client import CONTENT_TYPE_LATEST as CONTENT_TYPE
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from controller.store.reading import Reader
from controller.verbs.campaigns import list_campaigns
from controller.verbs.instruments import list_instruments

__all__ = ["CONTENT_TYPE", "metrics_text"]

_Opened = Sequence[tuple[str, Reader]]


def metrics_text(opened: _Opened) -> bytes:
    """Return the metrics of some stores (URL and reader of each) in the text format of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Stores(opened))
    return generate_latest(registry)


class _Stores(Collector):
    def __init__(self, opened: _Opened) -> None:
        self._opened = opened

    def collect(self) -> Iterator[Metric]:
        campaigns = list_campaigns(self._opened)
        label = ["campaign", "data"]
        experiments = GaugeMetricFamily("labwright_experiments", "Experiments by status.", labels=[*label, "status"])
        status = GaugeMetricFamily("labwright_campaign_status", "1 for the status that holds.", labels=[*label, "status"])
        budget = GaugeMetricFamily("labwright_budget_experiments", "Experiments that the budget allows.", labels=label)
        spent = GaugeMetricFamily("labwright_spent_experiments", "Experiments that count against the budget.", labels=label)
        for row in campaigns:
            names = [row["name"], "simulated" if row["simulated"] else "real"]
            for state, n in row["counts"].items():
                experiments.add_metric([*names, state], n)
            status.add_metric([*names, row["status"]], 1)
            budget.add_metric(names, row["budget_experiments"])
            spent.add_metric(names, row["spent"])
        yield from (experiments, status, budget, spent)
        rows, interlocks = list_instruments(self._opened)
        label = ["lab", "instrument"]
        state = GaugeMetricFamily("labwright_instrument_state", "1 for the state that holds.", labels=[*label, "state"])
        held = GaugeMetricFamily("labwright_instrument_held", "1 while nothing is dispatched to it.", labels=label)
        for row in rows:
            state.add_metric([row["lab"], row["instrument"], row["state"]], 1)
            held.add_metric([row["lab"], row["instrument"]], 1 if row["held"] else 0)
        yield from (state, held)
        label = ["lab", "interlock", "state"]
        locks = GaugeMetricFamily("labwright_interlock_state", "1 for the state that holds.", labels=label)
        for row in interlocks:
            locks.add_metric([row["lab"], row["interlock"], str(row["state"])], 1)
        yield locks
