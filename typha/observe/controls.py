"""What an operator may ask of, and change in, a running process: its tasks, and how much it logs.

Place: pages of the admin port beside `answers`. A change is a PUT, which no web page of another origin can send without
being asked first, and only where the port is on loopback.

1. What is changed here lasts until the process ends, or the setting changes in a configuration that is read anew.
2. No value of any variable is shown: a stack is files, lines and names.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import traceback
from types import FrameType
from typing import Final

from typha.observe.inquiries import BusyError, Inquiries
from typha.observe.pages import TEXT, Page, Request, Response, error_response, json_response
from typha.observe.queries import Parameters, QueryError

__all__ = ["Controls"]

log = logging.getLogger("typha.observe")

LEVELS: Final = ("debug", "info", "warning", "error")
# The innermost frames say what it waits for; beyond them is asyncio.
_FRAMES: Final = 12


class Controls:
    """See the module. ``is_local``: the port is on loopback, and may change something."""

    def __init__(self, inquiries: Inquiries | None, *, is_local: bool) -> None:
        self._inquiries = inquiries
        self._is_local = is_local

    def pages(self) -> dict[str, Page]:
        """What GET asks for, by path."""
        return {"/tasks": self._tasks, "/log-level": self._levels}

    def commands(self) -> dict[str, Page]:
        """What PUT changes, by path."""
        return {"/log-level": self._set_level}

    async def _tasks(self, _: Request, query: Parameters) -> Response:
        query.allow()
        if self._inquiries is None:
            return error_response(503, "starting: there is no loop to ask yet")
        try:
            lines = await self._inquiries.look(task_lines)
        except BusyError as error:
            # A loop that does not answer is what one wants to see: its thread's stack says where it is.
            lines = [f"the loop does not answer: {error}"]
        return Response(200, TEXT, "\n".join([*lines, "", *thread_lines(), ""]).encode())

    async def _levels(self, _: Request, query: Parameters) -> Response:
        query.allow()
        return json_response(levels())

    async def _set_level(self, _: Request, query: Parameters) -> Response:
        query.allow("level", "logger")
        if not self._is_local:
            return error_response(403, "an admin port beyond loopback changes nothing; use one on loopback")
        level, name = query.text("level"), query.text("logger")
        if level not in LEVELS:
            raise QueryError(f"level is {level[:32]!r}; it is one of {', '.join(LEVELS)}")
        if name and name.partition(".")[0] not in ("typha", "asyncio", "aiohttp"):
            raise QueryError(f"logger is {name[:64]!r}; it is typha, asyncio, aiohttp, or one below them")
        logging.getLogger(name or None).setLevel(level.upper())
        log.warning("the log level was changed", extra={"name_of_logger": name or "root", "to": level})
        return json_response(levels())


def levels() -> dict[str, str]:
    """The loggers that have a level of their own."""
    root = logging.getLogger()
    found = {"root": logging.getLevelName(root.level).lower()}
    for name, logger in sorted(root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and logger.level:
            found[name] = logging.getLevelName(logger.level).lower()
    return found


def task_lines() -> list[str]:
    """Every task of this loop, and where it waits. Call it on the loop."""
    tasks = sorted(asyncio.all_tasks(), key=lambda task: task.get_name())
    lines = [f"{len(tasks)} tasks"]
    for task in tasks:
        lines += ["", f"task {task.get_name()}"]
        lines += [f"  {line}" for frame in task.get_stack(limit=_FRAMES) for line in _where(frame)]
    return lines


def thread_lines() -> list[str]:
    """Every thread, and where it is."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    # CPython's own way to another thread's stack; the standard library's faulthandler writes to files only.
    frames = sys._current_frames()  # noqa: SLF001
    lines = [f"{len(frames)} threads"]
    for ident, frame in frames.items():
        stack = traceback.extract_stack(frame)[-_FRAMES:]
        lines += ["", f"thread {names.get(ident, ident)}"]
        lines += [f"  {each.filename}:{each.lineno} {each.name}" for each in stack]
    return lines


def _where(frame: FrameType) -> list[str]:
    return [f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_qualname}"]
