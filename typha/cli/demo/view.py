"""How the demo looks: a live display on a terminal, plain lines elsewhere, and the summary at the end."""

from __future__ import annotations

import asyncio
from typing import Final

from rich.console import Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from typha.cli.demo.report import Options, Progress, Report, latency_ms
from typha.cli.exits import say
from typha.cli.output import console, size

REFRESH_S: Final = 0.25
# Without a terminal: a line for each phase, and one of numbers so often.
LINE_EVERY_S: Final = 5.0


async def show_live(options: Options, progress: Progress) -> None:
    """Until cancelled: redraw the display."""
    rates = Rates()
    with Live(render(options, progress, rates), console=console(), refresh_per_second=8, transient=True) as live:
        while True:
            await asyncio.sleep(REFRESH_S)
            live.update(render(options, progress, rates))


async def show_lines(options: Options, progress: Progress) -> None:
    """Until cancelled: a line on standard error for each phase, and numbers now and then."""
    loop = asyncio.get_running_loop()
    phase, line_at = "", loop.time()
    while True:
        if progress.phase != phase:
            phase = progress.phase
            say(f"[{progress.elapsed_s:5.1f} s] {phase}")
        if loop.time() - line_at >= LINE_EVERY_S:
            line_at = loop.time()
            say(f"[{progress.elapsed_s:5.1f} s] {numbers(options, progress)}")
        await asyncio.sleep(REFRESH_S / 5)


class Rates:
    """Changes and deliveries per second between two looks, a second or more apart."""

    def __init__(self) -> None:
        self._last = (0.0, 0, 0)
        self.changes_per_s = self.deliveries_per_s = 0.0

    def update(self, progress: Progress) -> None:
        """Take the numbers of now."""
        at, changes, deliveries = self._last
        passed_s = progress.elapsed_s - at
        if passed_s >= 1.0:
            self.changes_per_s = (progress.changes - changes) / passed_s
            self.deliveries_per_s = max(0, progress.deliveries - deliveries) / passed_s
            self._last = (progress.elapsed_s, progress.changes, progress.deliveries)


def numbers(options: Options, progress: Progress) -> str:
    """The numbers of now in one line."""
    latency = latency_ms(progress.latencies_s)
    shown = f", latency p50 {latency['p50']:g} ms, p99 {latency['p99']:g} ms" if latency else ""
    return (
        f"{progress.in_sync}/{options.agents} agents in sync, {progress.changes} changes, "
        f"{progress.deliveries} deliveries{shown}"
    )


def render(options: Options, progress: Progress, rates: Rates) -> RenderableType:
    """The live display."""
    rates.update(progress)
    topics = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    topics.add_column("topic")
    topics.add_column("objects", justify="right")
    for name, count in progress.objects.items():
        topics.add_row(name, f"{count:,}")
    latency = latency_ms(progress.latencies_s)
    figures = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    figures.add_column(style="dim")
    figures.add_column()
    figures.add_row("agents in sync", f"{progress.in_sync} of {options.agents}")
    figures.add_row("changes", f"{progress.changes:,}  ({rates.changes_per_s:,.0f}/s)")
    figures.add_row("deliveries", f"{progress.deliveries:,}  ({rates.deliveries_per_s:,.0f}/s)")
    figures.add_row("latency", f"p50 {latency['p50']:g} ms   p99 {latency['p99']:g} ms" if latency else "-")
    figures.add_row("API watches", f"{progress.watches} instead of {progress.direct_watches}")
    figures.add_row("server", f"pid {progress.server_pid or '-'}, started {progress.server_starts}x")
    grid = Table.grid(padding=(0, 6))
    grid.add_row(topics, figures)
    phase = Spinner("dots", Text(f" {progress.phase}", style="bold cyan"))
    return Panel(Group(phase, Text(), grid), title="typha demo", subtitle=f"{progress.elapsed_s:.0f} s", width=90)


def summary(report: Report) -> RenderableType:
    """What is left on the screen at the end: figures, the proof, and (with Calico) a look at what the server held."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    progress, options = report.progress, report.options
    latency = latency_ms(progress.latencies_s)
    per_agent = "for each agent that needs it whole" if options.calico else f"times {options.agents}"
    saved = 1 - report.bytes_to_agents / report.bytes_direct if report.bytes_direct else 0.0
    table.add_row("cluster", ", ".join(f"{count:,} {name}" for name, count in progress.objects.items()))
    table.add_row("changes", f"{progress.changes:,}, handed over {progress.deliveries:,} times")
    if latency:
        table.add_row(
            "latency",
            f"p50 {latency['p50']:g} ms, p99 {latency['p99']:g} ms, max {latency['max']:g} ms (API server to handler)",
        )
    table.add_row(
        "kill -9",
        f"all agents back after {report.outage_s:.1f} s; topics: {report.modes['resumes']} resumed, "
        f"{report.modes['reconciles']} reconciled, {report.modes['snapshots']} by snapshot",
    )
    table.add_row("API watches", f"{progress.watches} instead of {progress.direct_watches}")
    table.add_row(
        "bytes",
        f"{size(report.bytes_to_agents)} from typha to {options.agents} agents instead of {size(report.bytes_direct)} "
        f"for direct watches (what one real direct agent received, JSON, {per_agent}): {saved:.0%} saved",
    )
    verdict = Text(report.verdict.line, style="bold green" if report.verdict.holds else "bold red")
    look = [Text(), Text("typha get workloadendpoints -A", style="dim"), *map(Text, report.look)] if report.look else []
    return Group(table, Text(), verdict, *look)
