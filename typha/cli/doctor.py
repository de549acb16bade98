"""`typha doctor`: every check as a line, worst outcome as the exit code."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from typha.cli.exits import FAILED, USAGE, CliError
from typha.cli.output import json_page, printable, write

if TYPE_CHECKING:
    from typha.config import Config, Problem
    from typha.doctor.findings import Finding

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


class DoctorOutput(StrEnum):
    """How findings look."""

    TABLE = "table"
    JSON = "json"


def doctor(
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Configuration file, as `serve` gets.")] = None,
    output: Annotated[
        DoctorOutput, typer.Option("-o", "--output", help="A line for each check, or JSON.")
    ] = DoctorOutput.TABLE,
    timeout: Annotated[float, typer.Option("--timeout", min=1.0, help="Seconds for all of it.")] = 120.0,
) -> None:
    """Check all that `typha serve` needs, and say what to do.

    Configuration, ports, TLS files, credentials, API server, rights, how objects convert, memory.

    Run it where the server runs, with its environment; a running server is not disturbed. Nothing is changed anywhere.
    Exit code: 0 where nothing failed (warnings may be there), 1 where a check failed.

    Example: typha doctor --config typha.yaml

    Example: kubectl -n typha-system exec deploy/typha -- typha doctor -o json
    """
    found: list[Finding] = []

    def tell(finding: Finding) -> None:
        found.append(finding)
        if output is DoctorOutput.TABLE:
            _print(finding)

    try:
        asyncio.run(_examine(config, tell, timeout))
    except TimeoutError:
        from typha.doctor.findings import failed  # noqa: PLC0415

        tell(failed("time", f"not done after {timeout:g} s", "the last line says how far it came; --timeout is longer"))
    counts = {outcome: sum(finding.outcome == outcome for finding in found) for outcome in COLOURS}
    if output is DoctorOutput.JSON:
        write(json_page({"ok": not counts["fail"], "counts": counts, "checks": [_record(each) for each in found]}))
    else:
        typer.echo(f"{counts['ok']} ok, {counts['warn']} to look at, {counts['fail']} failed")
    if counts["fail"]:
        raise typer.Exit(FAILED)


def _record(finding: Finding) -> dict[str, Any]:
    return {"check": finding.check, "outcome": finding.outcome, "what": finding.what, "hint": finding.hint}


def _print(finding: Finding) -> None:
    word = f"{finding.outcome:<5}"
    if sys.stdout.isatty():
        word = typer.style(word, fg=COLOURS[finding.outcome], bold=finding.outcome != "ok")
    typer.echo(f"{word} {printable(finding.check)}: {printable(finding.what)}")
    if finding.hint:
        typer.echo(f"      -> {printable(finding.hint)}")


async def _examine(file: Path | None, tell: Callable[[Finding], None], timeout_s: float) -> None:
    from typha.config import ConfigError  # noqa: PLC0415 - `typha --help` reads no YAML
    from typha.doctor.examination import examine  # noqa: PLC0415 - the server's parts
    from typha.upstream.settings import Settings  # noqa: PLC0415

    try:
        config, load = way_of_serve(file)
    except ConfigError as error:
        for problem in error.problems:
            tell(_wrong(problem))
        return
    except CliError as error:
        raise CliError(str(error), error.hint, code=USAGE) from None
    async with asyncio.timeout(timeout_s):
        async for finding in examine(config, load, Settings(watch_list=config.upstream.watch_list), now=time.time()):
            tell(finding)


def _wrong(problem: Problem) -> Finding:
    from typha.doctor.findings import failed  # noqa: PLC0415

    value = f" = {problem.value}" if problem.value else ""
    hint = f"allowed: {problem.allowed}" if problem.allowed else "docs/configuration.md has every setting"
    return failed(f"configuration {problem.key}", f"{problem.source}: {problem.key}{value}: {problem.reason}", hint)


def way_of_serve(file: Path | None) -> tuple[Config, Callable[[], Awaitable[Any]]]:
    """The configuration and the way to the API server as `typha serve --config FILE` would have them here.

    Raises ConfigError; CliError where the environment is Calico Typha's and wrong.
    """
    from typha.config import load  # noqa: PLC0415
    from typha.drop_in import command as calico  # noqa: PLC0415
    from typha.drop_in.datastore import way_to_api_server  # noqa: PLC0415
    from typha.upstream.credentials import from_environment, load_configuration  # noqa: PLC0415

    if calico.is_asked_for(os.environ):
        return calico.settings_from(os.environ, file=file).config, way_to_api_server(os.environ)
    loaded = load(environment=os.environ, file=file)

    async def read_credentials() -> Any:
        return await load_configuration(from_environment(os.environ))

    return loaded.config, read_credentials
