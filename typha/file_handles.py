"""A file handle for each connection: how many the server needs, and the process' limit."""

from __future__ import annotations

import logging
import resource
from typing import Final

__all__ = ["needed_files", "raise_file_limit"]

log = logging.getLogger("typha.app")

# Watches, probes, the observers' sockets and their clients, Python's own.
_OTHER_FILES: Final = 256


def needed_files(connections: int) -> int:
    """For so many connections of agents, and the rest."""
    return connections + _OTHER_FILES


def raise_file_limit(connections: int) -> None:
    """The soft limit to what is needed, or as far as the hard one lets it, with a warning."""
    wanted = needed_files(connections)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    possible = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
    if possible < wanted:
        log.warning(
            "fewer file handles than limits.max_connections; raise `ulimit -Hn` or lower the limit",
            extra={"file_handles": possible, "max_connections": connections},
        )
