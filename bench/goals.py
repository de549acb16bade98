"""The goals, one row each: which figures of which bench fill it, and of what shape they must be.

1. ``ROWS`` (in ``bench.goal_rows``) is the one place that knows the figures' names; here it is only said what a row is.
2. A figure counts only where its run had the shape that the row is about: a short run fills no row.
3. Several figures in one row: the worst of them counts. A goal that is not measured is not met.
4. A peer that could not run makes its row "not run"; where the row names a recorded figure, that stands in, marked so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from bench.report import RESULTS, number, show

GOALS: Final = "goals"

Document = Mapping[str, Any]
"""A result as ``Result.as_json`` gives it."""


class Verdict(StrEnum):
    """Of one row."""

    MET = "met"
    MISSED = "missed"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Source:
    """Figures by bench and name, both of which may be patterns (``*``).

    ``shape``: parameters that the run must have had, numbers at least so large, anything else equal.
    """

    bench: str
    figure: str
    shape: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A figure of a peer that was measured elsewhere, and what the table says of it."""

    value: float
    note: str = "recorded"


@dataclass(frozen=True, slots=True)
class Row:
    """One goal. With ``beside`` the value is the ratio to that figure, or to ``stand_in`` where it is not run."""

    measure: str
    of: tuple[Source, ...]
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    beside: Source | None = None
    stand_in: Recorded | None = None

    @property
    def goal(self) -> str:
        """In words."""
        sign, value = ("<=", self.at_most) if self.at_most is not None else (">=", self.at_least or 0.0)
        return f"{sign} {number(value)} {self.unit}".rstrip()


@dataclass(frozen=True, slots=True)
class Judged:
    """A row with what was found. ``note``: why there is no value, or what stands in for what."""

    measure: str
    goal: str
    value: float | None
    unit: str
    verdict: Verdict
    note: str = ""
    runs: tuple[str, ...] = ()


def judge(rows: Iterable[Row], documents: Sequence[Document]) -> list[Judged]:
    """Every row, in order."""
    return [_judge(row, documents) for row in rows]


def _judge(row: Row, documents: Sequence[Document]) -> Judged:
    found: list[tuple[float, str]] = []
    for source in row.of:
        of_source, why = _find(source, documents)
        if why:
            return Judged(row.measure, row.goal, None, row.unit, Verdict.NOT_RUN, why)
        found.extend(of_source)
    runs = tuple(dict.fromkeys(run for _, run in found))
    values = [value for value, _ in found]
    worst = max(values) if row.at_most is not None else min(values)
    note = ""
    if row.beside is not None or row.stand_in is not None:
        peer, why = _find(row.beside, documents) if row.beside is not None else ([], "no peer")
        if peer:
            # Of several ways to run the peer its best counts.
            base = max(value for value, _ in peer)
        elif row.stand_in is not None:
            base, note = row.stand_in.value, row.stand_in.note
        else:
            return Judged(row.measure, row.goal, None, row.unit, Verdict.NOT_RUN, why, runs)
        worst /= base
    is_met = worst <= row.at_most if row.at_most is not None else worst >= (row.at_least or 0.0)
    return Judged(row.measure, row.goal, worst, row.unit, Verdict.MET if is_met else Verdict.MISSED, note, runs)


def _find(source: Source, documents: Sequence[Document]) -> tuple[list[tuple[float, str]], str]:
    """Values with the runs that they are of; or why there are none."""
    found: list[tuple[float, str]] = []
    where = "any bench" if source.bench == "*" else source.bench
    why = f"no result of {where}"
    for document in documents:
        if not fnmatchcase(document["bench"], source.bench):
            continue
        values = [each["value"] for each in document["figures"] if fnmatchcase(each["name"], source.figure)]
        if not values:
            if not found:
                why = f"no figure {source.figure!r} of {where}"
            continue
        lacking = _lacking(source.shape, document["parameters"])
        if lacking:
            why = f"{document['bench']} was run with {lacking}"
            continue
        found.extend((value, f"{document['bench']} {document['at']}") for value in values)
    return found, "" if found else why


def _lacking(shape: Mapping[str, Any], parameters: Mapping[str, Any]) -> str:
    for name, wanted in shape.items():
        given = parameters.get(name)
        is_number = isinstance(wanted, int | float) and not isinstance(wanted, bool)
        if given is None or (given < wanted if is_number and isinstance(given, int | float) else given != wanted):
            return f"{name} {given}, not {wanted}"
    return ""


def missed(judged: Iterable[Judged]) -> list[str]:
    """The measures that do not hold, those not run among them."""
    return [f"{each.measure} ({each.verdict})" for each in judged if each.verdict is not Verdict.MET]


def stored_documents(folder: Path = RESULTS) -> list[Document]:
    """Every stored result, by name; those of short runs (``*.local.json``) are not among them."""
    paths = sorted(path for path in folder.glob("*.json") if path.stem != GOALS and ".local" not in path.name)
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def print_judged(judged: Sequence[Judged]) -> None:
    """Row by row: measure, goal, value, verdict."""
    colours = {Verdict.MET: "green", Verdict.MISSED: "red bold", Verdict.NOT_RUN: "yellow"}
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("MEASURE")
    table.add_column("GOAL", justify="right", no_wrap=True)
    table.add_column("VALUE", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("")
    for each in judged:
        value = "" if each.value is None else f"{number(each.value)} {each.unit}".rstrip()
        table.add_row(each.measure, each.goal, value, f"[{colours[each.verdict]}]{each.verdict}[/]", each.note)
    show(table)


def save(judged: Sequence[Judged], provenance: Mapping[str, Any]) -> Path:
    """``goals.json`` beside the results: the rows, with the machine and the commit that ``provenance`` names."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{GOALS}.json"
    document = {**provenance, "missed": missed(judged), "rows": [asdict(each) for each in judged]}
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return path
