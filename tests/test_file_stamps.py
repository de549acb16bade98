"""When a file counts as changed."""

from __future__ import annotations

import os
from pathlib import Path

from typha.file_stamps import FileStamps


def test_a_change_counts_once(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("1")
    stamps = FileStamps([file, None])
    assert not stamps.look()
    file.write_text("22")
    assert stamps.look()
    assert not stamps.look()


def test_files_come_and_go(tmp_path: Path) -> None:
    file = tmp_path / "a"
    stamps = FileStamps([file])
    file.write_text("1")
    assert stamps.look()
    file.unlink()
    assert stamps.look()
    assert not stamps.look()


def test_a_change_that_settles_counts_at_the_second_look(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert", tmp_path / "key"
    for file in (cert, key):
        file.write_text("1")
    stamps = FileStamps([cert, key], settles=True)
    cert.write_text("22")
    assert not stamps.look()
    key.write_text("22")
    assert not stamps.look()
    assert stamps.look()
    assert not stamps.look()


def test_a_change_that_is_taken_back_is_none(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("1")
    before = file.stat()
    stamps = FileStamps([file], settles=True)
    file.write_text("2")
    os.utime(file, ns=(1, 1))
    assert not stamps.look()
    file.write_text("1")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not stamps.look()
    assert not stamps.look()


def test_kubernetes_swaps_a_link(tmp_path: Path) -> None:
    """As the kubelet's AtomicWriter does: file -> ..data/file, ..data -> ..2026_11_23, renamed over."""
    for version in ("..1", "..2"):
        (tmp_path / version).mkdir()
        for name in ("tls.crt", "tls.key"):
            (tmp_path / version / name).write_text("same size")
            os.utime(tmp_path / version / name, ns=(1, 1))
    (tmp_path / "..data").symlink_to("..1")
    files = [tmp_path / "tls.crt", tmp_path / "tls.key"]
    for file in files:
        file.symlink_to(f"..data/{file.name}")
    stamps = FileStamps(files)
    (tmp_path / "..data_tmp").symlink_to("..2")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    assert stamps.look()
    assert not stamps.look()
