"""Keep a file equal to a topic: `python keep_a_file.py typha:5473 routes routes.json`.

The handler is slow (a file is written); the client coalesces what comes meanwhile, so the file is written once for
a burst of changes. The Bookmark says that everything up to it is handed over, so it is the moment to write.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from pathlib import Path

from typha_client import Bookmarked, connect


async def main(server: str, topic: str, path: str) -> None:
    target = Path(path)
    written = ""
    async with connect(server, topics=[topic], node="file-writer") as client:

        @client.on_bookmark(topic)
        async def write(bookmark: Bookmarked) -> None:
            nonlocal written
            digest = client.topic(topic).digest
            if digest == written:
                return
            content = {entry.key: entry.value for entry in sorted(client.list(topic))}
            await asyncio.to_thread(replace, target, json.dumps(content, indent=1))
            written = digest
            print(f"wrote {len(content)} entries as of {bookmark.cursor}", flush=True)

        await asyncio.Event().wait()


def replace(target: Path, text: str) -> None:
    """Write beside it and rename: a reader sees the old file or the new one, whole."""
    beside = target.with_suffix(".new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(target)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(*sys.argv[1:4]))
