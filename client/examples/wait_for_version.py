"""Wait until this agent's copy holds a version: `python wait_for_version.py typha:5473 pods 41236`.

Somebody wrote an object and got its resourceVersion back; a reader that must not act on older data waits for it.
"""

from __future__ import annotations

import asyncio
import sys

from typha_client import RefusedError, connect


async def main(server: str, topic: str, rv: str) -> int:
    async with connect(server, topics=[topic], node="waiter") as client:
        try:
            await client.wait_synced(timeout=30)
            await client.wait_for(topic, int(rv), timeout=30)
        except RefusedError as refused:
            print(f"the server refuses: {refused}")
            return 1
        except TimeoutError as late:
            print(f"not in time: {late}")
            return 3
        print(f"{topic} holds everything up to {rv}: {len(client.topic(topic))} entries")
        return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:4])))
