"""Whether files have changed: certificates, keys, CAs and tokens that somebody renews under us.

Place: both ends ask before they use such files again. ``os.stat`` follows links, so that Kubernetes' swap of ``..data``
is a change of every file behind it.

Not taken: inotify. It does not see a swapped link from inside the folder, nor what a network file system does, and
a few ``stat`` a second cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_Stamp = tuple[int, int, int, int]


class FileStamps:
    """``settles``: a change counts when two looks in a row see the same. Who writes cert and key one after the other
    is then done, as a rule; without it a change counts at once.
    """

    def __init__(self, files: Iterable[Path | None], *, settles: bool = False) -> None:
        self._files = tuple(file for file in files if file is not None)
        self._settles = settles
        self._taken = self._seen = self._read()

    def look(self) -> bool:
        """True once for each change since the last True (or since it was made)."""
        now = self._read()
        is_settled, self._seen = now == self._seen or not self._settles, now
        if now == self._taken or not is_settled:
            return False
        self._taken = now
        return True

    def _read(self) -> tuple[_Stamp | None, ...]:
        return tuple(_stamp_of(file) for file in self._files)


def _stamp_of(file: Path) -> _Stamp | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev
