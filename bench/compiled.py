"""C sources of the benches, compiled where they run by the machine's own ``cc``."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


class NotCompiledError(Exception):
    """No C compiler, or it does not take the source; the message says which."""


def compiled(source: Path, binary: Path, *options: str) -> Path:
    """``binary``, made of ``source``."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise NotCompiledError("no C compiler `cc`")
    command = [compiler, "-O2", "-Wall", *options, "-o", str(binary), str(source)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise NotCompiledError(f"{source.name} does not compile here: {ended.stderr.strip().splitlines()[:1]}")
    return binary
