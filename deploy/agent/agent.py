"""Keeps a file of this node's endpoints up to date: an example of an agent, run by `daemon_set.yaml` on every node.

Settings come from the environment: SERVERS, NODE, TLS (a folder with tls.crt, tls.key, ca.crt), OUTPUT (the file).
With --check it tells by its exit code whether the file is fresh, for the readiness probe.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import sys
import time
from pathlib import Path

from typha_client import Change, Client, connect

TOPIC = "workloadendpoints"
# The probe comes as often; a file that is twice as old is not kept up to date.
REFRESH_S = 30.0


def write(output: Path, client: Client) -> None:
    """The whole file at once: who reads it never sees half."""
    endpoints = {entry.key: entry.value["ipv4_nets"] for entry in client.list(TOPIC)}
    temporary = output.with_suffix(".new")
    temporary.write_text(json.dumps(endpoints, indent=2) + "\n")
    temporary.replace(output)


async def keep(output: Path) -> None:
    """Until SIGTERM."""
    folder, node = Path(os.environ["TLS"]), os.environ["NODE"]
    context = ssl.create_default_context(cafile=folder / "ca.crt")
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    ended, changed = asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with connect(
        os.environ["SERVERS"], topics=[TOPIC], where={TOPIC: {"node": node}}, node=node, tls=context
    ) as client:

        def on_change(_: Change) -> None:
            changed.set()

        for register in (client.on_add, client.on_update, client.on_delete):
            register(TOPIC, on_change)
        await client.wait_synced()
        stop = asyncio.ensure_future(ended.wait())
        while not stop.done():
            changed.clear()
            # A copy that nobody keeps up to date is still the best there is: the file stays, and grows old.
            if not client.topic(TOPIC).is_stale:
                write(output, client)
            change = asyncio.ensure_future(changed.wait())
            await asyncio.wait({stop, change}, timeout=REFRESH_S, return_when=asyncio.FIRST_COMPLETED)
            change.cancel()


def main() -> int:
    """Exit code 0; with --check 1 where the file is missing or old."""
    output = Path(os.environ["OUTPUT"])
    if "--check" in sys.argv[1:]:
        return 0 if output.exists() and time.time() - output.stat().st_mtime < 2 * REFRESH_S else 1
    asyncio.run(keep(output))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
