"""Connect with mTLS and/or a token: `python over_tls.py HOST:PORT TOPIC ca.pem [client.pem client.key] [token-file]`.

Certificates and the token are looked at before each connection, so that renewed ones are used.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from typha_client import Tls, connect


async def main(server: str, topic: str, ca: str, *more: str) -> None:
    cert, key = more[:2] if len(more) >= 2 else (None, None)
    async with connect(
        server,
        topics=[topic],
        node="tls-agent",
        tls=Tls(ca=ca, cert=cert, key=key),
        token=Path(more[-1]) if len(more) % 2 else None,
    ) as client:
        await client.wait_synced(timeout=30)
        print(f"{topic}: {len(client.topic(topic))} entries over TLS")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
