from pathlib import Path

import pytest

from typha.machine import MemoryGuard, limit_of_cgroup, resident_bytes

MIB = 1 << 20


def test_snapshots_pause_before_the_limit_and_go_on_below_it() -> None:
    guard = MemoryGuard(100 * MIB)
    answers = [bool(guard.look(used * MIB)) for used in (80, 89, 90, 86, 85, 84, 89)]
    assert answers == [False, False, True, True, True, False, False]
    assert guard.look(95 * MIB) == "memory: 95 of 100 MiB are in use; try another server"


def test_without_a_limit_nothing_pauses() -> None:
    assert MemoryGuard(None).look(1 << 50) == ""


@pytest.mark.parametrize(
    ("own", "files", "limit"),
    [
        ("0::/\n", {"memory.max": "536870912\n"}, 536870912),
        ("0::/\n", {"memory.max": "max\n"}, None),
        ("0::/pod/a\n", {"pod/a/memory.max": "1048576", "memory.max": "max"}, 1048576),
        ("5:cpu:/x\n4:memory:/x\n", {"memory/x/memory.limit_in_bytes": "4096"}, 4096),
        ("4:memory:/gone\n", {"memory/memory.limit_in_bytes": "9223372036854771712"}, None),
        ("0::/\n", {}, None),
    ],
)
def test_limit_of_the_control_group(tmp_path: Path, own: str, files: dict[str, str], limit: int | None) -> None:
    (tmp_path / "own").write_text(own)
    for name, text in files.items():
        (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / name).write_text(text)
    assert limit_of_cgroup(tmp_path / "root", tmp_path / "own") == limit
    assert limit_of_cgroup(tmp_path / "root", tmp_path / "nowhere") is None


def test_resident_memory_is_that_of_this_process() -> None:
    assert resident_bytes() > 10 * MIB
