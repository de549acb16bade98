"""All commands, put together; each module is thin and imports its machinery when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from typha.cli import exits
from typha.cli.demo.command import demo
from typha.cli.doctor import doctor
from typha.cli.dump import dump
from typha.cli.get import get
from typha.cli.rbac import rbac
from typha.cli.serve import serve
from typha.cli.status import status
from typha.cli.tail import tail
from typha.cli.verify import verify
from typha.drop_in.command import component
from typha.version import __version__

app = typer.Typer(
    name="typha",
    cls=exits.Commands,
    help="One set of Kubernetes watches, streamed to thousands of node agents.",
    epilog=exits.HELP,
    no_args_is_help=True,
    # A traceback with local variables would print tokens and objects.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"typha {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """One set of Kubernetes watches, streamed to thousands of node agents.

    Example: typha demo
    """


for command in (serve, doctor, demo, dump, tail, get, rbac, status, verify):
    app.command(epilog=exits.HELP)(command)

app.add_typer(component)


def main() -> None:
    """Entry point of the ``typha`` script."""
    app(prog_name="typha")
