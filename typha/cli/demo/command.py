"""`typha demo`: options in, exit code out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from typha.cli.exits import FAILED, TERMINATED
from typha.cli.output import json_page, show, write

if TYPE_CHECKING:
    from typha.cli.demo.report import Options, Report
    from typha.cli.demo.scene import Scene


class DemoOutput(StrEnum):
    """How the end looks."""

    TEXT = "text"
    JSON = "json"


def demo(
    agents: Annotated[int, typer.Option(min=1, max=5000, help="Agents, each with a TCP connection of its own.")] = 50,
    pods: Annotated[int, typer.Option(min=0, max=200_000, help="Pods of the simulated cluster.")] = 2000,
    churn: Annotated[float, typer.Option(min=0, max=10_000, help="Changes per second.")] = 50.0,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long changes go on.")] = 20.0,
    output: Annotated[
        DemoOutput, typer.Option("-o", "--output", help="For people, or one JSON object.")
    ] = DemoOutput.TEXT,
    sabotage: Annotated[
        bool,
        typer.Option("--sabotage", help="Take one change out of one agent's stream: the proof must fail (exit 1)."),
    ] = False,
    calico: Annotated[
        bool, typer.Option("--calico", help="A cluster with Calico, the built-in feeds, agents as Calico's.")
    ] = False,
) -> None:
    """Show it all on this machine: a simulated cluster, a real server, agents, a kill -9 in the middle, a proof.

    Needs no cluster and no rights. Exit 1 if any agent differs from the API server at the end.

    Example: typha demo --agents 200 --churn 200, or typha demo --calico
    """
    from typha.cli.demo.report import Options  # noqa: PLC0415 - the parts of the play

    try:
        report = asyncio.run(_play(Options(agents, pods, churn, seconds, sabotage, calico), output))
    except asyncio.CancelledError:
        raise typer.Exit(TERMINATED) from None
    if output is DemoOutput.JSON:
        write(json_page(report.as_dict()))
    else:
        from typha.cli.demo.view import summary  # noqa: PLC0415

        show(summary(report))
    if not report.verdict.holds:
        raise typer.Exit(FAILED)


async def _play(options: Options, output: DemoOutput) -> Report:
    from typha.cli.demo.run import Play  # noqa: PLC0415
    from typha.cli.demo.view import show_lines, show_live  # noqa: PLC0415

    # The kill is part of the play; fifty agents need not each say that they have lost their server.
    logging.getLogger("typha_client").setLevel(logging.ERROR)
    play = Play(options, _scene(options))
    # Ended from outside, it must take its server with it.
    if (task := asyncio.current_task()) is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    look = show_live if output is DemoOutput.TEXT and sys.stdout.isatty() else show_lines
    viewer = asyncio.create_task(look(options, play.progress))
    try:
        return await play.run()
    finally:
        viewer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await viewer


def _scene(options: Options) -> Scene:
    # Either is imported only where it plays: Calico's converters are most of the server's code.
    if options.calico:
        from typha.cli.demo.calico import CalicoScene  # noqa: PLC0415

        return CalicoScene()
    from typha.cli.demo.plain import PlainScene  # noqa: PLC0415

    return PlainScene()
