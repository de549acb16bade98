"""Files that are whole or not there, for their owner alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from typha.warm_start.folder import WarmFolder


async def test_written_whole_and_for_the_owner_alone(tmp_path: Path) -> None:
    folder = WarmFolder(tmp_path / "new" / "warm")
    assert folder.read("v1/pods") is None
    assert await folder.write("v1/pods", iter([b"a" * 700_000, b"b" * 700_000, b"c"])) == 1_400_001
    file = folder.file_of("v1/pods")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert folder.read("v1/pods") == b"a" * 700_000 + b"b" * 700_000 + b"c"


async def test_a_write_that_fails_leaves_the_file_of_before(tmp_path: Path) -> None:
    folder = WarmFolder(tmp_path)
    await folder.write("v1/pods", iter([b"before"]))

    def broken() -> Iterator[bytes]:
        yield b"half"
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        await folder.write("v1/pods", broken())
    assert folder.read("v1/pods") == b"before"
    assert os.listdir(tmp_path) == [folder.file_of("v1/pods").name]


def test_names_that_differ_have_files_that_differ(tmp_path: Path) -> None:
    folder = WarmFolder(tmp_path)
    names = ["v1/pods", "v1-pods", "v1/pods namespace=a", "v1/pods labelSelector=" + "x" * 300, "../../etc/passwd"]
    files = [folder.file_of(name) for name in names]
    assert len(set(files)) == len(names)
    assert all(file.parent == tmp_path and len(file.name) < 200 for file in files)


async def test_set_aside_and_removed(tmp_path: Path) -> None:
    folder = WarmFolder(tmp_path)
    for name in ("v1/pods", "v1/nodes"):
        await folder.write(name, iter([b"data"]))
    aside = folder.set_aside("v1/pods")
    assert aside.read_bytes() == b"data"
    assert folder.read("v1/pods") is None
    assert folder.remove_others(["v1/pods"]) == [folder.file_of("v1/nodes")]
    assert os.listdir(tmp_path) == [aside.name]
