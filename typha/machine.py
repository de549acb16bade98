"""What the machine gives this process: file handles and memory; and when memory becomes short.

Invariants
1. The kernel kills a process at its limit without a word. Before that, nobody may read a topic from its start: that is
   what costs memory for each agent (a slice of the snapshot in flight). Agents that resume are served on.
2. Between the two thresholds the last answer holds: no flapping with each collection of garbage.
"""

from __future__ import annotations

import logging
import os
import resource
from pathlib import Path
from typing import Final

log = logging.getLogger("typha.app")

# Watches, probes, the observers' sockets and their clients, Python's own.
OTHER_FILES: Final = 256
# 64 joiners hold some 45 MB more: a tenth of the 512 MiB that the manifests give.
PAUSE_AT: Final = 0.90
RESUME_AT: Final = 0.85
CGROUPS: Final = Path("/sys/fs/cgroup")
# Version 1 says "no limit" with a number near 2^63.
_NO_LIMIT: Final = 1 << 60


def raise_file_limit(connections: int) -> None:
    """A file handle for each connection, and some for the rest."""
    wanted = connections + OTHER_FILES
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


def limit_of_cgroup(root: Path = CGROUPS, own: Path = Path("/proc/self/cgroup")) -> int | None:
    """The smallest memory limit from this process' cgroup up to the root, bytes; None where there is none."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return None
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            found += _limits(root, path, "memory.max")
        elif "memory" in controllers.split(","):
            found += _limits(root / "memory", path, "memory.limit_in_bytes")
    return min(found, default=None)


def _limits(root: Path, path: str, name: str) -> list[int]:
    found = []
    below = [part for part in path.split("/") if part not in ("", "..")]
    for depth in range(len(below) + 1):
        try:
            text = root.joinpath(*below[:depth], name).read_text().strip()
        except OSError:
            continue
        if text.isdigit() and int(text) < _NO_LIMIT:
            found.append(int(text))
    return found


def resident_bytes() -> int:
    """Resident memory of this process (Linux), 0 where it cannot be read."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


class MemoryGuard:
    """Call ``look`` about once a second. ``limit_bytes`` None: there is no limit."""

    def __init__(self, limit_bytes: int | None) -> None:
        self.limit_bytes = limit_bytes
        self._is_short = False

    def look(self, used_bytes: int) -> str:
        """Why nobody may read a topic from its start now; "" where everybody may."""
        if self.limit_bytes is None:
            return ""
        was_short = self._is_short
        self._is_short = used_bytes >= (RESUME_AT if was_short else PAUSE_AT) * self.limit_bytes
        if self._is_short is not was_short:
            log.warning(
                "memory is short: no snapshots are served" if self._is_short else "memory suffices again",
                extra={"used_bytes": used_bytes, "limit_bytes": self.limit_bytes},
            )
        if not self._is_short:
            return ""
        return f"memory: {used_bytes >> 20} of {self.limit_bytes >> 20} MiB are in use; try another server"
