"""How a load process is told what to do: a JSON line in, a JSON line out, and its sockets are read all the time."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

Command = Callable[..., dict[str, Any]]


def serve(commands: Iterable[Command], poll: Callable[[float], bool]) -> None:
    """Answer ``{"do": name, ...}`` until stdin ends. ``poll(timeout_s)`` reads sockets; True where stdin waits."""
    by_name = {command.__name__: command for command in commands}
    while True:
        if not poll(1.0):
            continue
        line = sys.stdin.readline()
        if not line:
            return
        asked = json.loads(line)
        name = asked.pop("do")
        try:
            answer = by_name[name](**asked)
        except (OSError, TimeoutError) as error:
            answer = {"error": f"{name}: {error}"}
        print(json.dumps(answer), flush=True)
