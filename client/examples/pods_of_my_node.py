"""Watch the pods of one node: `python pods_of_my_node.py typha:5473 node-17`.

The server filters (`where`), so this agent never receives another node's pods.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

from typha_client import Change, StatusReport, connect


async def main(server: str, node: str) -> None:
    async with connect(server, topics=["pods"], where={"pods": {"node": node}}, node=node) as client:

        @client.on_add("pods")
        def added(change: Change) -> None:
            print(f"+ {change.key} {change.value['status'].get('phase')}", flush=True)

        @client.on_update("pods")
        def updated(change: Change) -> None:
            print(f"~ {change.key} {change.value['status'].get('phase')}", flush=True)

        @client.on_delete("pods")
        def deleted(change: Change) -> None:
            print(f"- {change.key}", flush=True)

        @client.on_status("pods")
        def status(report: StatusReport) -> None:
            # `stale` means: keep what runs, start nothing that needs fresh data.
            print(f"# pods are {report.state} {report.message}", flush=True)

        await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(*sys.argv[1:3]))
