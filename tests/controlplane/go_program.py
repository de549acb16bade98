"""A Go program that tests run beside the control plane: built once from a module folder into the cache.

Invariants
1. The repository is never written to: a binary goes to `~/.cache/NAME` (or below `$XDG_CACHE_HOME`), under a key of all
   that decides its bytes; a folder under its final name is complete.
2. One builder at a time for each name (a file lock, which the kernel drops with its holder).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from tests.controlplane.build import cache_folder
from tests.controlplane.go_toolchain import find_go
from tests.controlplane.server_process import ControlPlaneError

# On two shared cores: half a minute for the standard library, up to 4 for promtool with what it imports.
BUILD_TIMEOUT_S: Final = 600


def find_or_build(name: str, module: Path, package: str = ".", *, tags: str = "") -> Path:
    """The binary of `package` as `module`'s go.mod has it. Raises ControlPlaneError that says what to do."""
    root = cache_folder().with_name(f"typha-{name}")
    root.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(f"{platform.system()} {platform.machine()} {package} {tags}".encode())
    for source in sorted(path for path in module.rglob("*") if path.is_file()):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    folder = root / digest.hexdigest()[:16]
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _build(name, module, package, tags, folder)
    return folder / name


def _build(name: str, module: Path, package: str, tags: str, target: Path) -> None:
    go = find_go(cache_folder(), module)
    # Pure Go, so that no C compiler is needed; no workspace of the user's.
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".building-") as temporary:
        output = Path(temporary) / "bin"
        command = [str(go.command), "build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w"]
        done = subprocess.run(
            [*command, "-tags", tags, "-o", f"{output}/{name}", package],
            cwd=module,
            env=os.environ | {"CGO_ENABLED": "0", "GOWORK": "off"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=BUILD_TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            raise ControlPlaneError(
                f"`go build {package}` in {module} ended with exit code {done.returncode}: "
                f"{done.stderr.strip()[-2000:]}\n"
                "What to do: the modules of its go.mod must be fetchable (GOPROXY, or a warm module cache)."
            )
        output.rename(target)
