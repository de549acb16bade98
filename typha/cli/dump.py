"""`typha dump`: everything that the topics hold, once, as lines of JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from typha.cli import connecting as c
from typha.cli.output import json_line, write

if TYPE_CHECKING:
    from typha_client import Client


def dump(
    server: c.Servers = [c.DEFAULT_SERVER],  # noqa: B006 - typer reads it, nobody writes it
    feed: c.Feed = None,
    topic: c.Topics = None,
    where: c.Wheres = None,
    timeout: c.Timeout = 30.0,
    tls_ca: c.TlsCa = None,
    tls_cert: c.TlsCert = None,
    tls_key: c.TlsKey = None,
    server_name: c.ServerNames = None,
    token_file: c.TokenFile = None,
    insecure: c.Insecure = False,
) -> None:
    """Print everything that topics hold, one JSON object a line, and exit.

    Waits until all topics are in sync; lines are sorted by topic and key.

    Example: typha dump --server 127.0.0.1:5473 --feed inventory | jq -r .key
    """
    c.run(
        _dump(
            c.Target(
                server,
                feed,
                topic or [],
                where or [],
                tls_ca,
                tls_cert,
                tls_key,
                insecure,
                server_name or [],
                token_file,
            ),
            timeout,
        )
    )


async def _dump(target: c.Target, timeout_s: float) -> None:
    async with c.connect_to(target, "dump") as client:
        await c.wait_in_sync(client, target, timeout_s)
        # No await from here on: what is printed is one state.
        write(*held_lines(client))


def held_lines(client: Client) -> Iterator[bytes]:
    """One line per entry: ``{"topic","key","rv","value"}``, sorted by topic and key."""
    for name in sorted(client.topics):
        for entry in sorted(client.list(name), key=lambda entry: entry.key):
            yield json_line({"topic": name, "key": entry.key, "rv": entry.rv, "value": entry.value})
