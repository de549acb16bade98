"""docs/scaling.md from the stored results: what a server of a given size needs, and how many of them.

The model is that of ``growth``: CPU is a base, a send for each agent and round, and a delivery for each agent and
change; memory is a base, agents and objects. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import fmean
from typing import Any, Final

from bench.goals import Document
from bench.report import markdown_table, number

# Of a core in the steady state: the other half is for storms, and for the agents of a server that is gone.
SHARE: Final = 0.5
# Replicas beside those that the load needs: one may be away, as in every rolling update.
SPARE: Final = 1
_PAUSES_MS: Final = (100, 20)
_RATES: Final = (50, 200, 500, 1000)
_AGENTS: Final = (500, 1000, 2000, 5000, 10_000, 20_000, 50_000)
_OBJECTS: Final = (10_000, 50_000, 100_000, 250_000)
_FIFTY_THOUSAND: Final = 50_000
# Gigabits a second of a network card.
_LINKS: Final = (1, 10)
_FRAMES: Final = (1, 10, 50)
_WAYS: Final = (("plain", "plain"), ("zstd", "zstd"), ("dictionary", "zstd with a dictionary"))


class NotRun(LookupError):  # noqa: N818 - what the page says of it
    """A figure that the page needs is in no stored result."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Of one server; ``base`` is the share of a core that the changes themselves take, memory in bytes."""

    send_s: float
    delivery_s: float
    base: float
    base_bytes: float
    agent_bytes: float
    object_bytes: float

    def cores(self, agents: int, rate: float, pause_ms: int) -> float:
        """Cores of a server: ``rate`` changes a second, at most one round in each pause."""
        rounds = min(rate, 1000 / pause_ms)
        return self.base + agents * (rounds * self.send_s + rate * self.delivery_s)

    def agents(self, rate: float, pause_ms: int) -> int:
        """As many as take SHARE of a core."""
        return int((SHARE - self.base) / (self.cores(1, rate, pause_ms) - self.base))

    def replicas(self, agents: int, rate: float, pause_ms: int) -> int:
        """The spare one included."""
        return ceil(agents / self.agents(rate, pause_ms)) + SPARE

    def memory_bytes(self, agents: int, objects: int) -> float:
        """Of the whole process."""
        return self.base_bytes + agents * self.agent_bytes + objects * self.object_bytes


def costs_of(documents: Sequence[Document]) -> Costs:
    """From ``growth``. NotRun where it is missing."""
    growth = _document(documents, "growth")
    send_s, delivery_s = _figure(growth, "a send costs") / 1e6, _figure(growth, "a delivery in it costs") / 1e6
    agent_bytes = _figure(growth, "an agent costs, memory") * 1e3
    object_bytes = _figure(growth, "an object costs, memory")
    parameters = growth["parameters"]
    rounds, fewest = 1000 / parameters["round_pause_ms"], min(parameters["agents"])
    bases = [
        _figure(growth, f"{fewest:,} agents x {rate:g}: server's CPU") / 100
        - fewest * (min(rate, rounds) * send_s + rate * delivery_s)
        for rate in parameters["rates"]
    ]
    least = min(parameters["objects"])
    base_bytes = _figure(growth, f"{least:,} objects: memory") * 1e6 - least * object_bytes
    return Costs(send_s, delivery_s, fmean(bases), base_bytes, agent_bytes, object_bytes)


def _formula(documents: Sequence[Document]) -> str:
    costs, growth = costs_of(documents), _document(documents, "growth")
    least, most = min(growth["parameters"]["objects"]), max(growth["parameters"]["objects"])
    values = _figure(growth, f"{most:,} objects: keys and values") * 1e6 / most
    sends = f"rounds/s x {costs.send_s * 1e6:.2f} us + changes/s x {costs.delivery_s * 1e6:.3f} us"
    agents = f"agents x {costs.agent_bytes / 1e3:.1f} KB"
    said = f"From `bench growth`, {least:,} to {most:,} objects whose keys and values are {values:.0f} B each:"
    cores = f"cores  = {costs.base:.3f} + agents x ({sends})"
    beside = f"bytes of key and value + {costs.object_bytes - values:.0f} B"
    memory = f"memory = {costs.base_bytes / 1e6:.0f} MB + {agents} + objects x ({beside})"
    return f"{said}\n\n```text\n{cores}\n{memory}\n```"


def _replicas(documents: Sequence[Document]) -> str:
    costs = costs_of(documents)
    head = ("changes/s", *(f"agents of a server, {pause} ms" for pause in _PAUSES_MS))
    one = [(f"{rate:,}", *(f"{costs.agents(rate, pause):,}" for pause in _PAUSES_MS)) for rate in _RATES]
    pause = max(_PAUSES_MS)
    many = [(f"{count:,}", *(str(costs.replicas(count, rate, pause)) for rate in _RATES)) for count in _AGENTS]
    needed = markdown_table(("agents", *(f"{rate:,} changes/s" for rate in _RATES)), many)
    return f"{markdown_table(head, one)}\n\nReplicas at {pause} ms, the spare one included:\n\n{needed}"


def _memory(documents: Sequence[Document]) -> str:
    costs = costs_of(documents)
    agents = (1000, 5000)
    rows = [
        (f"{objects:,}", *(f"{costs.memory_bytes(count, objects) / 1e6:.0f} MB" for count in agents))
        for objects in _OBJECTS
    ]
    return markdown_table(("objects", *(f"{count:,} agents" for count in agents)), rows)


def _bytes(documents: Sequence[Document]) -> str:
    deltas = _document(documents, "deltas")
    rows = []
    for way, name in _WAYS:
        for count in _FRAMES:
            size = _figure(deltas, f"{count} a frame, {way}: a change")
            rows.append((name, str(count), f"{size:.0f} B", *(_millions(1e9 * link / 8 / size) for link in _LINKS)))
    head = ("a change", "changes in a frame", "bytes", *(f"deliveries/s that fill {link} Gbit/s" for link in _LINKS))
    join = _document(documents, "join")
    each, cpu_ms = _figure(join, "sent to each") * 1e6, _figure(join, "server's CPU for each")
    storm = (
        f"A join of the {_figure(join, 'values of the topic, as one agent reads them'):.0f} MB of `bench join` is"
        f" {each / 1e6:.1f} MB on the wire: "
        + ", ".join(f"{1e9 * link / 8 / each:.0f} joins a second fill {link} Gbit/s" for link in _LINKS)
        + f"; the server's CPU for each is {cpu_ms:.1f} ms."
    )
    return f"{markdown_table(head, rows)}\n\n{storm}"


def _fifty_thousand(documents: Sequence[Document]) -> str:
    costs, pause, agents = costs_of(documents), max(_PAUSES_MS), _FIFTY_THOUSAND
    per_event_s = _figure(_document(documents, "apiserver"), "direct watches: API server's CPU for each event") / 1e6
    rows = []
    for rate in _RATES:
        leaves = costs.replicas(agents, rate, pause)
        roots = 1 + SPARE
        rows.append(
            (
                f"{rate:,}",
                number(agents * rate * per_event_s),
                f"{leaves}",
                number(leaves * rate * per_event_s),
                f"{roots} + {leaves}",
                number(roots * rate * per_event_s),
                number(costs.cores(leaves, rate, pause)),
            )
        )
    head = (
        "changes/s",
        "a watch each: API server's cores",
        "flat: replicas",
        "flat: API server's cores",
        "tree: roots + leaves",
        "tree: API server's cores",
        "tree: cores of a root",
    )
    return markdown_table(head, rows)


def _millions(value: float) -> str:
    return f"{number(value / 1e6)} million"


def _document(documents: Sequence[Document], bench: str) -> Document:
    for document in documents:
        if document["bench"] == bench:
            return document
    raise NotRun(f"no result of {bench}")


def _figure(document: Mapping[str, Any], name: str) -> float:
    for figure in document["figures"]:
        if figure["name"] == name:
            return float(figure["value"])
    raise NotRun(f"{document['bench']} has no figure {name!r}")


def _or_why(block: Callable[[Sequence[Document]], str]) -> Callable[[Sequence[Document]], str]:
    def said(documents: Sequence[Document]) -> str:
        try:
            return block(documents)
        except NotRun as why:
            return f"Not run: {why}."

    return said


BLOCKS: Final[Mapping[str, Callable[[Sequence[Document]], str]]] = {
    "formula": _or_why(_formula),
    "replicas": _or_why(_replicas),
    "memory": _or_why(_memory),
    "bytes": _or_why(_bytes),
    "fifty-thousand": _or_why(_fifty_thousand),
}
