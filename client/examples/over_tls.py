"""Connect with mTLS and/or a token: `python over_tls.py HOST:PORT TOPIC ca.pem [client.pem client.key] [token-file]`.

Certificates are read once per context; the token file is read at each connection, so a rotated token is used.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from pathlib import Path

from typha_client import connect


async def main(server: str, topic: str, ca: str, *more: str) -> None:
    context = ssl.create_default_context(cafile=ca)
    if len(more) >= 2:
        context.load_cert_chain(more[0], more[1])
    token_file = Path(more[-1]) if len(more) % 2 else None
    async with connect(
        server,
        topics=[topic],
        node="tls-agent",
        tls=context,
        token=None if token_file is None else lambda: token_file.read_text(encoding="utf-8").strip(),
    ) as client:
        await client.wait_synced(timeout=30)
        print(f"{topic}: {len(client.topic(topic))} entries over TLS")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
