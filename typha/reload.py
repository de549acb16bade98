"""The configuration read anew on SIGHUP: what can change in a running server does, the rest is named.

Place: beside the data path. `cli.serve` gives ``load`` (the flags, environment and file of the start), `app` what to do
with what has changed.

Invariants
1. A configuration that is wrong as a whole changes nothing, and is one line in the log.
2. `LIVE` names every setting that changes without a restart; each is read where it is used, not copied at the start.
3. What needs a restart keeps its old value until then, and every reload says so again.

Road not taken: watching the file. A ConfigMap arrives in pieces, and a half-written file is worse than an old one; the
operator says when.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import signal
from collections.abc import Callable
from typing import Any, Final

from typha.config import Config, ConfigError
from typha.config.contradictions import find_contradictions
from typha.config.load import Loaded, settings_of

__all__ = ["LIVE", "Reload", "changed_settings", "with_settings"]

log = logging.getLogger("typha.reload")

# Not here: what connections were told (ping_interval_s), what sockets were made with (handshakes, TLS), what topics are
# made of, and what upstream's watches have in their requests.
LIVE: Final = frozenset(
    {
        "log.format",
        "log.level",
        "limits.max_connections",
        "limits.max_per_address",
        "limits.max_unheard",
        "limits.max_joiners",
        "limits.max_topics",
        "limits.max_filters",
        "limits.memory_mb",
        "timing.round_pause_ms",
        "timing.bookmark_interval_s",
        "timing.stuck_timeout_s",
        "timing.max_age_s",
        "timing.drain_wait_s",
        "timing.drain_grace_s",
        "timing.stale_after_s",
    }
)


def changed_settings(before: Config, after: Config) -> list[str]:
    """Paths of the settings that differ, in their order."""
    return [path for path, _, _ in settings_of() if _value(before, path) != _value(after, path)]


def with_settings(config: Config, source: Config, paths: frozenset[str]) -> Config:
    """``config`` with these settings of ``source``."""
    stages: dict[str, dict[str, Any]] = {}
    top: dict[str, Any] = {}
    for path in paths:
        stage, dot, name = path.partition(".")
        if dot:
            stages.setdefault(stage, {})[name] = _value(source, path)
        else:
            top[path] = _value(source, path)
    made = {stage: dataclasses.replace(getattr(config, stage), **values) for stage, values in stages.items()}
    return dataclasses.replace(config, **top, **made)


def _value(config: Config, path: str) -> Any:
    found: Any = config
    for name in path.split("."):
        found = getattr(found, name)
    return found


class Reload:
    """``apply`` gets the configuration as it is from now on and the paths that changed.

    ``load`` None: SIGHUP changes nothing.
    """

    def __init__(
        self, config: Config, load: Callable[[], Loaded] | None, apply: Callable[[Config, frozenset[str]], None]
    ) -> None:
        self.config = config
        self._load = load
        self._apply = apply
        self._asked = asyncio.Event()

    def install(self, loop: asyncio.AbstractEventLoop) -> None:
        """Handle SIGHUP from here on."""
        loop.add_signal_handler(signal.SIGHUP, self._asked.set)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            await self.reload()

    async def reload(self) -> None:
        """Once, now."""
        if self._load is None:
            log.warning("SIGHUP: nothing is read anew with Calico Typha's parameters; restart the server")
            return
        try:
            after = (await asyncio.to_thread(self._load)).config
        except ConfigError as error:
            self._refuse("; ".join(map(str, error.problems)))
            return
        changed = changed_settings(self.config, after)
        live = frozenset(changed) & LIVE
        made = with_settings(self.config, after, live)
        if problems := list(find_contradictions(made, lambda path: "as it runs")):
            self._refuse("; ".join(map(str, problems)))
            return
        self.config = made
        if live:
            self._apply(made, live)
        log.info("the configuration was read anew", extra={"applied": " ".join(sorted(live)) or "nothing changed"})
        if waiting := [path for path in changed if path not in LIVE]:
            log.warning("changed settings that need a restart", extra={"settings": " ".join(waiting)})

    def _refuse(self, problems: str) -> None:
        log.error("the new configuration is not used; the one of before stays", extra={"problems": problems})
