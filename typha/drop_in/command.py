"""The command line of Calico's Typha: ``calico-typha``, and ``component typha`` as the arguments of Calico's image.

    calico-typha [-c FILE]                 serve with Typha's parameters and defaults
    calico-typha check liveness|readiness  ask the server of this pod; the exit code is the answer
    calico-typha version                   (also --version)

Place: `cli.main` hangs `component` into ``typha``; `cli.serve` calls `serve` where `is_asked_for` says so; ``main`` is
the script ``calico-typha``.

1. What is wrong is one line each on standard error and exit code 2, before anything listens.
2. Notes and warnings about parameters are log lines, after the log has the level that they ask for.
"""

from __future__ import annotations

import asyncio
import http.client
import importlib.util
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from typha.cli import exits
from typha.cli.exits import FAILED, USAGE, CliError, say
from typha.cli.output import write
from typha.drop_in.parameters import DEFAULT_FILE, PREFIX
from typha.version import __version__

if TYPE_CHECKING:
    from typha.config import Problem
    from typha.drop_in.mapping import DropInSettings

log = logging.getLogger("typha.drop_in")

# Calico's manifest gives a probe 10 s.
CHECK_TIMEOUT_S: Final = 10.0

ConfigFile = Annotated[Path, typer.Option("--config-file", "-c", metavar="FILE", help="Typha's own file (INI).")]


class Quality(StrEnum):
    """What a probe asks for."""

    LIVENESS = "liveness"
    READINESS = "readiness"


def is_asked_for(environment: Mapping[str, str]) -> bool:
    """True where ``typha serve`` shall serve as Calico's Typha: TYPHA_DATASTORETYPE is set."""
    return any(name.upper() == f"{PREFIX}DATASTORETYPE" and text for name, text in environment.items())


def settings_from(
    environment: Mapping[str, str],
    config_file: Path | None = DEFAULT_FILE,
    *,
    flags: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> DropInSettings:
    """Typha's parameters, and our own settings (variables, ``flags``, ``file``) over them. Exit 2 where wrong."""
    from typha.config import ConfigError, load  # noqa: PLC0415 - `--help` reads no YAML
    from typha.drop_in.load import load_parameters, split_environment  # noqa: PLC0415
    from typha.drop_in.mapping import settings_of  # noqa: PLC0415

    typhas, ours = split_environment(environment)
    try:
        own = load(flags=flags, environment=ours, file=file)
    except ConfigError as error:
        raise _wrong(error.problems) from None
    settings = settings_of(load_parameters(typhas, config_file), environment, own)
    if settings.problems:
        raise _wrong(settings.problems)
    return settings


def _wrong(problems: Sequence[Problem]) -> typer.Exit:
    for problem in problems:
        say(f"error: {problem}")
    say(f"hint: {len(problems)} to correct; docs/migrating-from-typha.md has every parameter")
    return typer.Exit(USAGE)


def serve(settings: DropInSettings, environment: Mapping[str, str]) -> None:
    """Serve until SIGTERM. Raises CliError."""
    from typha import app  # noqa: PLC0415 - the server and all that it needs
    from typha.downstream.tls import TlsError  # noqa: PLC0415
    from typha.drop_in.datastore import way_to_api_server  # noqa: PLC0415
    from typha.observe.http import ObserveError  # noqa: PLC0415
    from typha.observe.log import configure_logging  # noqa: PLC0415
    from typha.upstream.errors import CredentialsError  # noqa: PLC0415

    configure_logging(settings.config.log.format, settings.config.log.level)
    for note in settings.notes:
        log.info(note)
    for warning in settings.warnings:
        log.warning(warning)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(app.serve(settings.config, drop_in=settings.drop_in, load=way_to_api_server(environment)))
    except (ObserveError, TlsError) as error:
        raise CliError(str(error), code=FAILED) from None
    except CredentialsError as error:
        raise CliError(str(error), code=USAGE) from None
    except OSError as error:
        raise CliError(f"cannot serve: {error}", "is the port free?", code=FAILED) from None


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if importlib.util.find_spec("uvloop") is None:
        return None
    import uvloop  # noqa: PLC0415 - where it is installed

    return uvloop.new_event_loop


def check(environment: Mapping[str, str], config_file: Path, quality: Quality) -> tuple[bool, str]:
    """What the server of this pod answers: (good, its table). Raises CliError where it does not answer."""
    from typha.config import HostPort  # noqa: PLC0415 - `--help` reads no YAML
    from typha.drop_in.load import load_parameters, split_environment  # noqa: PLC0415

    parameters = load_parameters(split_environment(environment)[0], config_file)
    if not parameters.switch("HealthEnabled"):
        raise CliError("health is off", "set TYPHA_HEALTHENABLED=true for the server and for this command", code=USAGE)
    host, port = parameters.text("HealthHost"), parameters.whole("HealthPort")
    host = "localhost" if HostPort(host, port).is_wildcard else host
    connection = http.client.HTTPConnection(host, port, timeout=CHECK_TIMEOUT_S)
    try:
        connection.request("GET", f"/{quality}")
        response = connection.getresponse()
        body = response.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        where = f"http://{host}:{port}/{quality}"
        raise CliError(f"no answer from {where}: {error or type(error).__name__}", code=FAILED) from None
    finally:
        connection.close()
    return response.status == http.client.OK, body


# --- the commands

typha = typer.Typer(
    name="calico-typha",
    cls=exits.Commands,
    help="Serve as Calico's Typha: its parameters, its defaults, its agents.",
    epilog=exits.HELP,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
component = typer.Typer(name="component", cls=exits.Commands, help="Arguments that Calico's image takes.", hidden=True)
component.add_typer(typha, name="typha")


def _print_version(wanted: bool) -> None:
    if wanted:
        version()
        raise typer.Exit


@typha.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    config_file: ConfigFile = DEFAULT_FILE,
    version_wanted: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Serve as Calico's Typha: its parameters, its defaults, its agents.

    Parameters: TYPHA_* and FILE; docs/migrating-from-typha.md has all of them.

    Example: TYPHA_DATASTORETYPE=kubernetes calico-typha
    """
    context.obj = config_file
    if context.invoked_subcommand is None:
        serve(settings_from(os.environ, config_file), os.environ)


@typha.command()
def version() -> None:
    """Print the version.

    Example: calico-typha version
    """
    typer.echo(f"typha {__version__}")


@typha.command("check")
def check_command(context: typer.Context, quality: Annotated[Quality, typer.Argument(help="What to ask for.")]) -> None:
    """Ask the server of this pod whether it is live, or ready; exit code 0 is yes, 1 is no.

    Example: calico-typha check readiness
    """
    is_good, table = check(os.environ, context.obj, quality)
    write(f"{table}\n".encode())
    if not is_good:
        raise typer.Exit(FAILED)


def main() -> None:
    """Entry point of the ``calico-typha`` script."""
    typha(prog_name="calico-typha")
