"""What Prometheus is told, read from the stores when it asks: nothing is counted twice, and nothing is lost with a process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client import CONTENT_TYPE_LATEST as CONTENT_TYPE
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from controller.store.reading import Reader
from controller.verbs.campaigns import list_campaigns
from controller.verbs.instruments import list_instruments
from controller.verbs.metering import Meter, meter
from controller.verbs.notifications import count_told
from controller.verbs.stores import show_url

__all__ = ["CONTENT_TYPE", "metrics_text", "told_text"]

_Opened = Sequence[tuple[str, Reader]]
_STATUSES = ("draft", "running", "paused", "stopping", "completed", "failed")
"""Of campaigns (`domain.campaign.CampaignStatus`)."""


def metrics_text(opened: _Opened) -> bytes:
    """Return the metrics of campaigns and instruments of some stores (URL and reader of each) in the text format of Prometheus."""
    return _text(_Stores(opened))


def told_text(urls: Sequence[str]) -> bytes:
    """Return the metrics of what people are told, in the same format."""
    return _text(_Told(urls))


def _text(collector: Collector) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return generate_latest(registry)


class _Stores(Collector):
    def __init__(self, opened: _Opened) -> None:
        self._opened = opened

    def collect(self) -> Iterator[Metric]:
        yield from self._campaigns()
        yield from self._measured([meter(reader) for _, reader in self._opened])
        yield from self._instruments()

    def _campaigns(self) -> Iterator[Metric]:
        campaigns = list_campaigns(self._opened)
        label = ["campaign", "data"]
        number = GaugeMetricFamily("labwright_campaigns", "Campaigns by status.", labels=["store", "status"])
        experiments = GaugeMetricFamily("labwright_experiments", "Experiments by status.", labels=[*label, "status"])
        status = GaugeMetricFamily("labwright_campaign_status", "1 for the status that holds.", labels=[*label, "status"])
        budget = GaugeMetricFamily("labwright_budget_experiments", "Experiments that the budget allows.", labels=label)
        spent = GaugeMetricFamily("labwright_spent_experiments", "Experiments that count against the budget.", labels=label)
        for url, _ in self._opened:
            for state in _STATUSES:
                found = sum(row["status"] == state and row["store"] == show_url(url) for row in campaigns)
                number.add_metric([show_url(url), state], found)
        for row in campaigns:
            names = [row["name"], _data(row["simulated"])]
            for state, n in row["counts"].items():
                experiments.add_metric([*names, state], n)
            status.add_metric([*names, row["status"]], 1)
            budget.add_metric(names, row["budget_experiments"])
            spent.add_metric(names, row["spent"])
        yield from (number, experiments, status, budget, spent)

    @staticmethod
    def _measured(stores: Sequence[Meter]) -> Iterator[Metric]:
        label = ["campaign", "data"]
        best = GaugeMetricFamily(
            "labwright_objective_best", "Best result of an objective by itself; constraints and fidelity left aside.",
            labels=[*label, "objective"],
        )  # fmt: skip
        for campaign, simulated, objective, value in (row for found in stores for row in found.best):
            best.add_metric([campaign, _data(simulated), objective], value)
        thought = GaugeMetricFamily(
            "labwright_proposal_seconds", "Time that the newest proposal of a model took [s].", labels=label
        )
        for campaign, simulated, seconds in (row for found in stores for row in found.proposal_s):
            thought.add_metric([campaign, _data(simulated)], seconds)
        alarms = CounterMetricFamily("labwright_alarms", "Alarms by code: stalled, distrust, held ….", labels=[*label, "code"])
        for campaign, simulated, code, n in (row for found in stores for row in found.alarms):
            alarms.add_metric([campaign, _data(simulated), code], n)
        label = ["lab", "instrument"]
        busy = CounterMetricFamily(
            "labwright_instrument_busy_seconds", "Lab time that ended attempts took [s]; the rest of it was idle.", labels=label
        )
        attempts = CounterMetricFamily("labwright_attempts", "Attempts that have ended, by status.", labels=[*label, "status"])
        for (lab, instrument), seconds in (row for found in stores for row in found.busy_s.items()):
            busy.add_metric([lab, instrument], seconds)
        for (lab, instrument, status), n in (row for found in stores for row in found.attempts.items()):
            attempts.add_metric([lab, instrument, status], n)
        yield from (best, thought, alarms, busy, attempts)

    def _instruments(self) -> Iterator[Metric]:
        rows, interlocks = list_instruments(self._opened)
        label = ["lab", "instrument"]
        state = GaugeMetricFamily("labwright_instrument_state", "1 for the state that holds.", labels=[*label, "state"])
        held = GaugeMetricFamily("labwright_instrument_held", "1 while nothing is dispatched to it.", labels=label)
        for row in rows:
            state.add_metric([row["lab"], row["instrument"], row["state"]], 1)
            held.add_metric([row["lab"], row["instrument"]], 1 if row["held"] else 0)
        label = ["lab", "interlock", "state"]
        locks = GaugeMetricFamily("labwright_interlock_state", "1 for the state that holds.", labels=label)
        for row in interlocks:
            locks.add_metric([row["lab"], row["interlock"], str(row["state"])], 1)
        yield from (state, held, locks)


class _Told(Collector):
    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = urls

    def collect(self) -> Iterator[Metric]:
        label = ["target", "store"]
        messages = CounterMetricFamily(
            "labwright_notification_messages", "Messages: sent, given up, and attempts that failed.", labels=[*label, "outcome"]
        )
        waiting = GaugeMetricFamily("labwright_notifications_waiting", "Notices that have not arrived yet.", labels=label)
        for url in self._urls:
            counted, left = count_told(url)
            for (target, outcome), n in counted.items():
                messages.add_metric([target, show_url(url), outcome], n)
            for target, n in left.items():
                waiting.add_metric([target, show_url(url)], n)
        yield from (messages, waiting)


def _data(simulated: object) -> str:
    return "simulated" if simulated else "real"
