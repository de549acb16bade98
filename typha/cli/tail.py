"""`typha tail`: everything that the topics hold, and then each change as it comes.

Handlers are registered in the step that prints what is held, so that no change is printed twice or lost between.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from typha.cli import connecting as c
from typha.cli.dump import held_lines
from typha.cli.output import json_line, write

if TYPE_CHECKING:
    from typha_client import Bookmarked, Change, Client, StatusReport


def tail(
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
    """Print what topics hold, then every change as it comes, one JSON object a line, until Ctrl-C.

    Lines of changes have "op": put, delete, status or bookmark.

    Example: typha tail --topic pods --where pods.node=node-1
    """
    c.run(
        _tail(
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


async def _tail(target: c.Target, timeout_s: float) -> None:
    async with c.connect_to(target, "tail") as client:
        await c.wait_in_sync(client, target, timeout_s)
        lines = _Lines(client)
        # No await from here to the end of `start`: what is printed as held is what the handlers go on from.
        write(*held_lines(client))
        lines.start()
        await lines.ended


class _Lines:
    """Handlers that print. An output that fails ends the command: the client would only log what a handler raises."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()

    def start(self) -> None:
        self._client.on_add(self._put)
        self._client.on_update(self._put)
        self._client.on_delete(self._delete)
        self._client.on_status(self._status)
        self._client.on_bookmark(self._bookmark)

    def _put(self, change: Change) -> None:
        self._write(op="put", topic=change.topic, key=change.key, rv=change.rv, value=change.value)

    def _delete(self, change: Change) -> None:
        self._write(op="delete", topic=change.topic, key=change.key, rv=change.rv)

    def _status(self, report: StatusReport) -> None:
        since_ms = self._since_ms(report.since_at)
        self._write(op="status", topic=report.topic, state=str(report.state), since_ms=since_ms, message=report.message)

    def _bookmark(self, mark: Bookmarked) -> None:
        self._write(op="bookmark", topic=mark.topic, rv=mark.cursor, age_ms=self._since_ms(mark.heard_at))

    def _since_ms(self, at: float | None) -> int | None:
        return None if at is None else max(0, round((self._loop.time() - at) * 1000))

    def _write(self, **line: Any) -> None:
        if self.ended.done():
            return
        try:
            write(json_line(line))
        except OSError as error:
            self.ended.set_exception(error)
