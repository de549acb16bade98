"""`typha serve`: read the configuration, set up the log, run the server until SIGTERM."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from typha.cli.exits import FAILED, USAGE, CliError, say
from typha.cli.output import json_page, show, table, write


class ConfigOutput(StrEnum):
    """How ``--print-config`` looks."""

    TABLE = "table"
    JSON = "json"


def serve(
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Configuration file (YAML).")] = None,
    listen: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Where agents connect.")] = None,
    health: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="/livez, /readyz, /metrics; or off.")] = None,
    admin: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="The status page; or off.")] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Allow plain TCP beyond loopback.")] = False,
    log_format: Annotated[str | None, typer.Option(metavar="text|json", help="How log lines look.")] = None,
    log_level: Annotated[str | None, typer.Option(metavar="LEVEL", help="debug, info, warning or error.")] = None,
    check_config: Annotated[bool, typer.Option("--check-config", help="Check the configuration and exit.")] = False,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print every setting with its source and exit.")
    ] = False,
    output: Annotated[ConfigOutput, typer.Option("-o", "--output", help="Of --print-config.")] = ConfigOutput.TABLE,
) -> None:
    """Serve node agents: one set of watches on the API server, streamed to all of them.

    Settings come from flags, TYPHA_* variables, the file, and defaults, in this order; docs/configuration.md has all.

    Example: KUBECONFIG=~/.kube/config typha serve --config typha.yaml
    """
    from typha.config import ConfigError, load  # noqa: PLC0415 - `typha --help` reads no YAML
    from typha.drop_in import command as calico  # noqa: PLC0415

    flags = {
        "listen": listen,
        "health": health,
        "admin": admin,
        "insecure": "true" if insecure else None,
        "log.format": log_format,
        "log.level": log_level,
    }
    given = {path: text for path, text in flags.items() if text is not None}
    typhas = calico.settings_from(os.environ, flags=given, file=config) if calico.is_asked_for(os.environ) else None
    try:
        loaded = typhas.loaded if typhas else load(flags=given, environment=os.environ, file=config)
    except ConfigError as error:
        for problem in error.problems:
            say(f"error: {problem}")
        say(f"hint: {len(error.problems)} to correct; docs/configuration.md has every setting")
        raise typer.Exit(USAGE) from None

    if print_config:
        from typha.config.show import as_json, rows  # noqa: PLC0415

        if output is ConfigOutput.JSON:
            write(json_page(as_json(loaded)))
        else:
            show(table(("SETTING", "VALUE", "SOURCE"), ((row.path, row.text, row.source) for row in rows(loaded))))
        return
    if check_config:
        found = loaded.config
        say(f"the configuration is valid: {len(found.topics)} topics, {len(found.feeds)} feeds, listen {found.listen}")
        return

    if typhas is not None:
        calico.serve(typhas, os.environ)
        return
    from typha import app  # noqa: PLC0415 - the server and all that it needs
    from typha.downstream.tls import TlsError  # noqa: PLC0415
    from typha.observe.http import ObserveError  # noqa: PLC0415
    from typha.observe.log import configure_logging  # noqa: PLC0415
    from typha.upstream.errors import CredentialsError  # noqa: PLC0415

    configure_logging(loaded.config.log.format, loaded.config.log.level)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            again = partial(load, flags=given, environment=os.environ, file=config)
            runner.run(app.serve(loaded.config, reload=again))
    except (ObserveError, TlsError) as error:
        raise CliError(str(error), code=FAILED) from None
    except CredentialsError as error:
        raise CliError(str(error), code=USAGE) from None
    except OSError as error:
        raise CliError(f"cannot serve: {error}", "is the port free, and the file readable?", code=FAILED) from None


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if importlib.util.find_spec("uvloop") is None:
        return None
    import uvloop  # noqa: PLC0415 - where it is installed

    return uvloop.new_event_loop
