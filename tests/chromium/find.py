"""Where Chromium is, or how it gets onto this machine.

1. `$CHROMIUM`, then the names under which distributions and Google ship it; then Debian's package, where apt is there
   and we are root, as on CI. A machine that has none of it fails with what to do.
2. The installation happens once a machine, also where two test runs begin together.

Road not taken: playwright's own download of a browser (not every machine that runs these tests may fetch it), and
packages that carry a headless build (not what people look at the page with).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES: Final = ("chromium", "fonts-dejavu-core")
# 100 MB of packages.
INSTALL_TIMEOUT_S: Final = 600


class ChromiumError(Exception):
    """There is no Chromium; the text says what to do."""


def find() -> Path | None:
    """The browser's path, None where there is none. Raises ChromiumError where $CHROMIUM names nothing."""
    chosen = os.environ.get("CHROMIUM")
    if chosen:
        if (path := shutil.which(chosen)) is None:
            raise ChromiumError(f"$CHROMIUM is {chosen!r}, which is no program. What to do: correct it, or unset it")
        return Path(path)
    return next((Path(path) for name in NAMES if (path := shutil.which(name))), None)


def find_or_install(tell: Callable[[str], None]) -> Path:
    """The browser's path; installs it where that is possible. Raises ChromiumError."""
    found = find()
    if found is not None:
        return found
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise ChromiumError(
            "no Chromium on PATH. What to do: install it (Debian: sudo apt-get install chromium), or set CHROMIUM"
        )
    with (Path(tempfile.gettempdir()) / "typha-chromium.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (found := find()) is not None:
            return found
        tell(f"installing {' '.join(PACKAGES)} with apt-get ...")
        _apt("update")
        _apt("install", "--yes", "--no-install-recommends", *PACKAGES)
    found = find()
    if found is None:
        raise ChromiumError("apt-get has installed chromium, and it is not on PATH")
    return found


def _apt(*arguments: str) -> None:
    command = ["apt-get", "--quiet", *arguments]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise ChromiumError(f"{' '.join(command)} did not end within {INSTALL_TIMEOUT_S} s") from None
    if done.returncode:
        raise ChromiumError(f"{' '.join(command)} failed: {(done.stderr or done.stdout).strip()[-1000:]}")
