"""The files of a warm start: one for each watch, written whole or not at all.

Invariants
1. A reader sees the old file or the new one: it is written beside, synced, and renamed.
2. Only the owner may read them (mode 0600): they hold what the API server holds.
3. A file that cannot be used is set aside under another name, once, for whoever wants to know why.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

__all__ = ["WarmFolder"]

SUFFIX: Final = ".warm"
BAD_SUFFIX: Final = ".bad"
_NEW_SUFFIX: Final = ".new"
# A write is one system call in a thread; less would be mostly hand-overs.
_WRITE_BYTES: Final = 1 << 20
# A selector may be longer than a file's name may be.
_NAME_CHARACTERS: Final = 100


class WarmFolder:
    """``path`` is made where it does not exist. Raises OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def file_of(self, name: str) -> Path:
        """Where the topics of that watch are; names that differ have files that differ."""
        readable = re.sub(r"[^A-Za-z0-9.-]+", "_", name)[:_NAME_CHARACTERS]
        return self.path / f"{readable}-{hashlib.blake2b(name.encode(), digest_size=4).hexdigest()}{SUFFIX}"

    def read(self, name: str) -> bytes | None:
        """The file, None where there is none. Raises OSError."""
        try:
            return self.file_of(name).read_bytes()
        except FileNotFoundError:
            return None

    def set_aside(self, name: str) -> Path:
        """Rename it; one of before is replaced. Raises OSError."""
        file = self.file_of(name)
        return file.replace(file.with_name(file.name + BAD_SUFFIX))

    async def write(self, name: str, pieces: Iterator[bytes]) -> int:
        """The file anew; its size. Between two pieces the loop has its turn, the disk has a thread. Raises OSError."""
        target = self.file_of(name)
        new = target.with_name(target.name + _NEW_SUFFIX)
        handle = await asyncio.to_thread(os.open, new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        size = 0
        try:
            os.fchmod(handle, 0o600)  # also where the file was there, or the umask is odd
            waiting = bytearray()
            for piece in pieces:
                waiting += piece
                if len(waiting) >= _WRITE_BYTES:
                    size += await asyncio.to_thread(_write, handle, bytes(waiting))
                    waiting.clear()
                else:
                    await asyncio.sleep(0)
            size += await asyncio.to_thread(_write, handle, bytes(waiting))
            await asyncio.to_thread(os.fsync, handle)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)
        await asyncio.to_thread(self._put_in_place, new, target)
        return size

    def _put_in_place(self, new: Path, target: Path) -> None:
        new.replace(target)
        self._sync()

    def remove_others(self, names: Iterable[str]) -> list[Path]:
        """Files of watches that are served no more go: nobody would ever read or replace them."""
        kept = {self.file_of(name) for name in names}
        gone = [file for file in self.path.glob(f"*{SUFFIX}") if file not in kept]
        for file in gone:
            file.unlink(missing_ok=True)
        return gone

    def _sync(self) -> None:
        handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _write(handle: int, data: bytes) -> int:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]
    return len(data)
