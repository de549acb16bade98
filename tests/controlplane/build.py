"""Where the binaries `etcd` and `kube-apiserver` come from; `python -m tests.controlplane.build` prints their folder.

In this order: the folder that `KUBEBUILDER_ASSETS` names (the convention of the field); the cache folder; a build into
the cache folder from `gomodule/`.

Invariants
1. A folder under its final name is complete: builds happen under a temporary name and are renamed.
2. One builder at a time per cache folder (a file lock, which the kernel drops with its holder).
3. The key covers everything that decides the bytes: go.mod, go.sum, both mains, operating system, processor.
4. The repository is never written to.

Road not taken: downloading released binaries. An ordinary module dependency is checked by go.sum, works through any
module proxy, and exists for every platform that Go has.
"""

import fcntl
import hashlib
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.controlplane.go_toolchain import GO_MODULE, find_go
from tests.controlplane.server_process import ControlPlaneError, last_lines

BINARY_NAMES = ("etcd", "kube-apiserver")
PROGRESS_INTERVAL_S = 15.0
Report = Callable[[str], None]


@dataclass(frozen=True)
class Binaries:
    """Paths of the two programs."""

    etcd: Path
    kube_apiserver: Path


def print_progress(line: str) -> None:
    """The default report: one line to standard error, at once."""
    print(f"control plane: {line}", file=sys.stderr, flush=True)


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/typha-controlplane`, else `~/.cache/typha-controlplane`."""
    # The XDG specification: a relative path is invalid and must be ignored.
    configured = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(configured) if configured and Path(configured).is_absolute() else Path.home() / ".cache"
    return root / "typha-controlplane"


def cache_key() -> str:
    """16 hex digits (64 bits: no collision among a few builds) over all that decides the bytes."""
    digest = hashlib.sha256(f"{platform.system()} {platform.machine()}".encode())
    for file in ("go.mod", "go.sum", *(f"cmd/{name}/main.go" for name in BINARY_NAMES)):
        digest.update(file.encode() + b"\0" + (GO_MODULE / file).read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def find_binaries() -> Binaries | None:
    """The binaries if they exist, without building.

    Raises ControlPlaneError where KUBEBUILDER_ASSETS is set to a folder that lacks one: a wrong setting is said aloud.
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets:
        missing = [name for name in BINARY_NAMES if not os.access(Path(assets) / name, os.X_OK)]
        if missing:
            raise ControlPlaneError(
                f"KUBEBUILDER_ASSETS={assets} lacks the executable(s) {', '.join(missing)}. "
                "What to do: point it at a folder with `etcd` and `kube-apiserver`, or unset it to have them built."
            )
        return _binaries_in(Path(assets))
    folder = cache_folder() / cache_key()
    return _binaries_in(folder) if folder.exists() else None


def find_or_build(report: Report = print_progress) -> Binaries:
    """The binaries, built if need be (3 to 4 minutes and 2.3 GB of memory on 2 cores the first time)."""
    found = find_binaries()
    if found is not None:
        return found
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with _builders_lock(folder / "lock", report):
        found = find_binaries()  # another builder may have finished while this one waited
        if found is None:
            _build(folder, folder / cache_key(), report)
            found = _binaries_in(folder / cache_key())
    return found


def _binaries_in(folder: Path) -> Binaries:
    return Binaries(etcd=folder / "etcd", kube_apiserver=folder / "kube-apiserver")


@contextmanager
def _builders_lock(path: Path, report: Report) -> Iterator[None]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("another process is building kube-apiserver and etcd; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(folder: Path, target: Path, report: Report) -> None:
    report("looking for a Go to build kube-apiserver and etcd with")
    go = find_go(folder)
    report(f"building kube-apiserver and etcd with {go.label} into {target}; 3-4 min the first time on 2 cores")
    # Pure Go, so that no C compiler is needed and the result runs on every distribution; no workspace of the user's.
    environment = os.environ | {"CGO_ENABLED": "0", "GOWORK": "off"}
    with tempfile.TemporaryDirectory(dir=folder, prefix=".building-") as temporary:
        output = Path(temporary) / "bin"
        log_path = Path(temporary) / "log"
        command = [str(go.command), "build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w"]
        with (
            log_path.open("wb") as log,
            subprocess.Popen(
                [*command, "-o", f"{output}/", *(f"./cmd/{name}" for name in BINARY_NAMES)],
                cwd=GO_MODULE,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            ) as process,
        ):
            started_at = time.monotonic()
            try:
                _wait_with_progress(process, started_at, report)
            except BaseException:
                process.kill()  # Ctrl-C must not leave a compiler behind
                raise
        if process.returncode != 0:
            raise ControlPlaneError(
                f"`go build` in {GO_MODULE} ended with exit code {process.returncode}. Its last lines:\n"
                f"{last_lines(log_path)}\nWhat to do: a module that cannot be fetched needs GOPROXY (or a warm module"
                " cache); `signal: killed` means too little memory (2.3 GB are needed); or point KUBEBUILDER_ASSETS at"
                " a folder with `etcd` and `kube-apiserver`."
            )
        output.rename(target)
        report(f"built in {time.monotonic() - started_at:.0f} s")


def _wait_with_progress(process: subprocess.Popen[bytes], started_at: float, report: Report) -> None:
    while True:
        try:
            process.wait(PROGRESS_INTERVAL_S)
        except subprocess.TimeoutExpired:
            report(f"still building, {time.monotonic() - started_at:.0f} s so far")
        else:
            return


def main() -> int:
    """Finds or builds, prints the folder (for `export KUBEBUILDER_ASSETS=$(...)`). Exit code 0, or 1 on failure."""
    try:
        binaries = find_or_build()
    except ControlPlaneError as error:
        print_progress(str(error))
        return 1
    print(binaries.kube_apiserver.parent)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
