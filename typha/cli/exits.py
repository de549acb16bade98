"""Exit codes, and the one error that ends a command: a clear line, a hint, a code.

| code | meaning |
|---|---|
| 0 | done |
| 1 | failed |
| 2 | wrong usage or configuration |
| 3 | not in sync in time |
| 130 | interrupted (Ctrl-C) |
| 143 | terminated (SIGTERM; `serve` drains and ends with 0) |
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import typer
from typer.core import TyperGroup

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
NOT_IN_SYNC: Final = 3
INTERRUPTED: Final = 130
TERMINATED: Final = 143

HELP: Final = "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 not in sync in time, 130 interrupted."


class CliError(Exception):
    """Ends a command. ``str`` is one line that says what was wrong and where; ``hint`` says what to do."""

    def __init__(self, message: str, hint: str = "", *, code: int = FAILED) -> None:
        self.hint = hint
        self.code = code
        super().__init__(message)


class Commands(TyperGroup):
    """The command group: turns CliError, a closed pipe and Ctrl-C into exit codes without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        with clean_exit():
            return super().invoke(ctx)


@contextmanager
def clean_exit() -> Iterator[None]:
    """Errors inside become one line on standard error and ``typer.Exit``."""
    try:
        yield
        sys.stdout.flush()
    except CliError as error:
        say(f"error: {error}")
        if error.hint:
            say(f"hint: {error.hint}")
        raise typer.Exit(error.code) from None
    except BrokenPipeError:
        # `typha dump | head`: the reader has had enough, which is no failure. What is still buffered has no reader
        # either: without this the interpreter complains about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(DONE) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def say(line: str) -> None:
    """One line on standard error, where people read and pipes do not."""
    typer.echo(line, err=True)
