"""The image: its Dockerfile is linted, its steps run for real in a fresh folder, and what comes out serves.

`docker build` itself runs where a builder answers; elsewhere the steps below are the next best: the same commands,
files, user and variables, on this machine's Python.
"""

from __future__ import annotations

import http.client
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.controlplane.admin_rest import wait_until
from tests.controlplane.server_process import free_ports
from tests.deploy.generated import DEPLOY
from typha.version import __version__

ROOT = DEPLOY.parent
DOCKERFILE = DEPLOY / "Dockerfile"
HADOLINT = Path(sys.executable).parent / "hadolint"


class Instruction(NamedTuple):
    word: str
    text: str


def stages() -> list[list[Instruction]]:
    """The instructions of each stage, FROM first; continued lines joined, comments dropped."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if line.strip() and not line.startswith("#")]
    found: list[list[Instruction]] = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, _, text = line.partition(" ")
        if word == "FROM":
            found.append([])
        found[-1].append(Instruction(word, text.strip()))
    return found


def test_lint() -> None:
    done = subprocess.run([HADOLINT, DOCKERFILE], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_image_is_small_and_without_a_shells_comforts() -> None:
    build, final = stages()
    assert build[0].text.removesuffix(" AS build") == final[0].text
    assert final[0].text.endswith("-slim")
    # Everything that runs in the final stage would be root's and in a layer.
    assert {each.word for each in final} == {
        "FROM", "LABEL", "COPY", "ENV", "USER", "EXPOSE", "STOPSIGNAL", "ENTRYPOINT", "CMD"
    }  # fmt: skip
    assert next(each.text for each in final if each.word == "USER") == "65532:65532"


def test_only_what_is_copied_is_sent_to_the_builder() -> None:
    allowed = {line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[0] == "!"}
    copied = {source for each in stages()[0] if each.word == "COPY" for source in each.text.split()[:-1]}
    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    """The folder that stands for `/` after the first stage; paths in its commands are moved below it."""
    with tempfile.TemporaryDirectory(prefix="typha-image-") as name:
        root = Path(name)
        root.chmod(0o755)  # as `/` is: another user runs what is in it
        (root / "bin").mkdir()
        (root / "bin" / "python").symlink_to(Path(sys.base_prefix) / "bin" / "python3")
        workdir = root
        for word, text in stages()[0]:
            if word == "WORKDIR":
                workdir = root / text.lstrip("/")
                workdir.mkdir(parents=True)
            elif word == "COPY":
                *sources, target = text.split()
                for source in sources:
                    _copy(ROOT / source, workdir / target if len(sources) == 1 else workdir / target / source)
            elif word == "RUN":
                command = text.replace("/opt/typha", str(root / "opt" / "typha"))
                environment = {**os.environ, "PATH": f"{root / 'bin'}:{os.environ['PATH']}"}
                environment.pop("VIRTUAL_ENV", None)
                done = subprocess.run(
                    ["/bin/sh", "-ec", command],
                    cwd=workdir,
                    env=environment,
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=500,
                )
                assert done.returncode == 0, f"RUN {text}\n{done.stdout}\n{done.stderr}"
        yield root


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def _as_the_images_user(*command: str) -> list[str]:
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        return list(command)
    return ["setpriv", "--reuid=65532", "--regid=65532", "--clear-groups", *command]


def _environment(root: Path) -> dict[str, str]:
    """The image's own variables and nothing of this machine's."""
    (text,) = [each.text for each in stages()[1] if each.word == "ENV"]
    pairs = dict(pair.split("=", 1) for pair in shlex.split(text))
    path = pairs["PATH"].replace("/opt/typha", str(root / "opt" / "typha"))
    return pairs | {"PATH": path.replace("$PATH", "/usr/bin:/bin")}


@pytest.mark.e2e
@pytest.mark.timeout(600)
def test_its_steps_make_a_server_that_runs_as_nobody_and_writes_nothing(image: Path) -> None:
    """Ready or not is the API server's matter (here: nobody): it is alive, says so, and ends when asked to."""
    environment = _environment(image)
    (entrypoint,) = [json.loads(each.text) for each in stages()[1] if each.word == "ENTRYPOINT"]
    (command,) = [json.loads(each.text) for each in stages()[1] if each.word == "CMD"]
    typha = [shutil.which(entrypoint[0], path=environment["PATH"]) or entrypoint[0]]
    said = subprocess.run(
        _as_the_images_user(*typha, "--version"),
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert said.stdout == f"typha {__version__}\n"
    before = {path: path.lstat().st_mtime_ns for path in image.rglob("*")}
    assert any(path.match("typha/__pycache__/app.*.pyc") for path in before)
    assert not (image / "opt/typha/bin/pip").exists()
    agents_port, health_port, nobody = free_ports(3)
    environment |= {
        "K8S_API_ENDPOINT": f"https://127.0.0.1:{nobody}",
        "TYPHA_LISTEN": f"127.0.0.1:{agents_port}",
        "TYPHA_HEALTH": f"127.0.0.1:{health_port}",
        "TYPHA_ADMIN": "off",
    }
    with subprocess.Popen(
        _as_the_images_user(*typha, *command), env=environment, cwd="/", stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            wait_until("it is alive", lambda: _code(health_port, "/livez") == 200 or process.poll() is not None)
            ready = _code(health_port, "/readyz")
            process.terminate()
            _, log = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (ready, process.returncode) == (503, 0), log
    assert {path: path.lstat().st_mtime_ns for path in image.rglob("*")} == before


def _code(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def _builder_answers() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    return subprocess.run([docker, "info"], capture_output=True, check=False, timeout=30).returncode == 0


@pytest.mark.e2e
@pytest.mark.timeout(900)
def test_a_builder_builds_it() -> None:
    if not _builder_answers():
        pytest.skip("no Docker answers here; the steps were run by the test above")
    command = ["docker", "build", "-f", str(DOCKERFILE), "-t", "typha:test", "."]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=800)
    assert done.returncode == 0, done.stderr
    said = subprocess.run(
        ["docker", "run", "--rm", "--read-only", "typha:test", "--version"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert said.stdout == f"typha {__version__}\n"
