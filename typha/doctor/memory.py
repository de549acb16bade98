"""How much memory a server needs, and how much it may have. Pure, but for `available`.

    needed = (PROCESS + keys and values + ENTRY x entries + connection x agents) x (1 + HEADROOM)

Source of the numbers: docs/benchmarks.md (`bench growth`, `bench felix`); `bench felix` measures ENTRY anew,
`bench growth` the connection. The chart and docs/deployment.md, which know no cluster, use the same numbers with
CALICO_VALUE_BYTES; a test holds them together, and to the stored results.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from typha.doctor.findings import Finding, failed, ok, warning

__all__ = ["Load", "available", "examine", "needed_bytes"]

MB: Final = 1_000_000
# The process with its libraries and nothing to serve: 1,000 objects and 100 agents are 69.7 MB.
PROCESS_BYTES: Final = 69 * MB
# Beside key and value (`bench felix`): Python's own, the dicts, the index by node.
ENTRY_BYTES: Final = 460
# Key and value of an entry in the mean of Calico's whole feed: 90 MB in 105,533 entries (`bench felix`). Endpoints
# alone are 477 B; blocks of addresses and EndpointSlices, a 25th of the entries, are 10 KB each.
CALICO_VALUE_BYTES: Final = 850
# An agent (`bench growth`): 2.88 KB; with TLS asyncio's buffers and OpenSSL's state come on top.
CONNECTION_BYTES: Final = 2_900
TLS_CONNECTION_BYTES: Final = 45_000
# `felix`: 202 MB at rest, 275 under load: frames that are built, tombstones, the allocator's holes.
HEADROOM: Final = 0.4
# Above that the kernel's killer is near whenever the cluster grows.
WARN_SHARE: Final = 0.8
_SCALE: Final = 100_000


class Load(NamedTuple):
    """What is to be held: objects of the API server, what becomes of them, and who reads it."""

    objects: int
    entries: int
    value_bytes: int
    agents: int
    tls: bool


def needed_bytes(load: Load) -> int:
    """See the module."""
    connection = TLS_CONNECTION_BYTES if load.tls else CONNECTION_BYTES
    at_rest = PROCESS_BYTES + load.value_bytes + ENTRY_BYTES * load.entries + connection * load.agents
    return round(at_rest * (1 + HEADROOM))


def bytes_per_scale(load: Load) -> int:
    """What 100,000 objects more of this mix take."""
    if not load.objects:
        return 0
    per_object = (load.value_bytes + ENTRY_BYTES * load.entries) / load.objects
    return round(per_object * _SCALE * (1 + HEADROOM))


def examine(load: Load, limit_bytes: int | None, available_bytes: int | None) -> Finding:
    """The formula beside the limit of the cgroup, or without one beside what the machine has left."""
    needed = needed_bytes(load)
    more = bytes_per_scale(load)
    growth = f"; {_SCALE:,} objects more would take {_mb(more)}" if more else ""
    what = f"about {_mb(needed)} for {load.objects:,} objects ({load.entries:,} entries) and {load.agents:,} agents"
    room = limit_bytes if limit_bytes is not None else available_bytes
    if room is None:
        return ok("memory", f"{what}; no limit is set{growth}")
    name = "the limit" if limit_bytes is not None else "what this machine has left"
    what = f"{what}, {name} is {_mb(room)}{growth}"
    hint = f"raise resources.limits.memory to {_mb(round(needed / WARN_SHARE))}, or choose `fields` instead of whole"
    hint += " objects and fewer topics"
    if needed > room:
        return failed("memory", what, hint)
    if needed > room * WARN_SHARE:
        return warning("memory", what, hint)
    return ok("memory", what)


def available(meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """What the machine could give without swapping, bytes; None where the system does not say."""
    try:
        fields: Mapping[str, str] = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None


def _mb(size: int) -> str:
    return f"{size / MB:,.0f} MB"
