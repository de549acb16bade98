"""What can be seen on this machine alone: ports, file handles, and the TLS files.

Invariants
1. A port is tried by binding it, with the server's own code, and let go at once.
2. A port that a running typha of this configuration has is no failure: doctor is run beside it.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import resource
from collections.abc import Iterator
from typing import Any, Final

from typha.config import Config, HostPort
from typha.doctor.findings import Finding, failed, ok, warning
from typha.machine import OTHER_FILES
from typha.observe.ports import ObserveError, listen

__all__ = ["examine_file_handles", "examine_ports", "examine_warm_start"]

_ANSWER_S: Final = 2.0
_PAGE_BYTES: Final = 256 << 20
_VERSION: Final = re.compile(rb'^typha_build_info\{[^}]*version="([^"]+)"', re.MULTILINE)


def examine_ports(config: Config) -> Iterator[Finding]:
    """Whether each port can be had."""
    running = running_server(config)
    for name, address in (("listen", config.listen), ("health", config.health), ("admin", config.admin)):
        check = f"port {name}"
        if address is None:
            yield ok(check, "off")
            continue
        try:
            listen(name, address).close()
        except ObserveError as error:
            if running is not None:
                yield ok(check, f"{address}: in use by the typha {running} that runs here")
            else:
                yield failed(
                    check,
                    f"cannot listen on {address}: {error.reason}",
                    f"stop what has it (`ss -ltnp`), or set `{name}` to another address",
                )
        else:
            yield ok(check, f"{address} is free")


def running_server(config: Config) -> str | None:
    """The version of the typha that runs here, None where none answers.

    Beyond loopback its admin port asks who wants to know; its metrics ask nobody.
    """
    if found := _VERSION.search(_page(config.health, "/metrics")):
        return found[1].decode()
    try:
        page: Any = json.loads(_page(config.admin, "/status"))
        return str(page["build"]["version"])
    except (ValueError, KeyError, TypeError):
        return None


def _page(address: HostPort | None, path: str) -> bytes:
    if address is None or address.port == 0:
        return b""
    connection = http.client.HTTPConnection(
        "localhost" if address.is_wildcard else address.host, address.port, timeout=_ANSWER_S
    )
    try:
        connection.request("GET", path)
        return connection.getresponse().read(_PAGE_BYTES)
    except (OSError, http.client.HTTPException):
        return b""
    finally:
        connection.close()


def examine_warm_start(config: Config) -> Iterator[Finding]:
    """Whether the folder can be written; nothing is made here."""
    folder = config.warm_start.folder
    if folder is None:
        return
    check, place = "warm start", folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        yield failed(check, f"{place} is no folder", "set `warm_start.folder` to another path")
    elif not os.access(place, os.W_OK | os.X_OK):
        yield failed(
            check,
            f"{place} cannot be written by this user ({os.getuid()})",
            "give the pod's user (fsGroup) or unit the right, or mount a volume there",
        )
    else:
        yield ok(check, f"{folder} can be written")


def examine_file_handles(config: Config) -> Finding:
    """A connection is a file handle; the server raises its soft limit itself, up to the hard one."""
    wanted = config.limits.max_connections + OTHER_FILES
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= wanted:
        return ok("file handles", f"{wanted:,} of {'any number' if hard == resource.RLIM_INFINITY else f'{hard:,}'}")
    return warning(
        "file handles",
        f"the hard limit is {hard:,}, limits.max_connections = {config.limits.max_connections:,} needs {wanted:,}",
        "raise the limit of the container runtime or unit (LimitNOFILE), or lower limits.max_connections",
    )
