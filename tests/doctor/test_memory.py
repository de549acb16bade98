"""The formula beside limits, and where limits are read."""

from __future__ import annotations

from pathlib import Path

from typha.doctor import memory
from typha.doctor.findings import Outcome
from typha.doctor.memory import MB, Load, bytes_per_scale, limit_of_cgroup, needed_bytes

NOTHING = Load(objects=0, entries=0, value_bytes=0, agents=0, tls=False)
PODS = Load(objects=100_000, entries=100_000, value_bytes=46 * MB, agents=1_000, tls=False)


def test_the_formula_is_that_of_the_module() -> None:
    assert needed_bytes(NOTHING) == round(69 * MB * 1.4)
    at_rest = 69 * MB + 46 * MB + 376 * 100_000 + 4_200 * 1_000
    assert needed_bytes(PODS) == round(at_rest * 1.4)
    assert needed_bytes(PODS._replace(tls=True)) - needed_bytes(PODS) == round((45_000 - 4_200) * 1_000 * 1.4)
    assert bytes_per_scale(PODS) == round((46 * MB + 376 * 100_000) * 1.4)
    assert bytes_per_scale(NOTHING) == 0


def test_the_limit_decides_and_without_one_what_the_machine_has_left() -> None:
    needed = needed_bytes(PODS)
    assert memory.examine(PODS, needed * 2, 1).outcome is Outcome.OK
    near = memory.examine(PODS, round(needed * 1.1), None)
    assert near.outcome is Outcome.WARN
    assert "resources.limits.memory" in near.hint
    assert memory.examine(PODS, needed - 1, None).outcome is Outcome.FAIL
    assert memory.examine(PODS, None, needed - 1).outcome is Outcome.FAIL
    assert memory.examine(PODS, None, None).outcome is Outcome.OK
    assert "100,000 objects more would take 117 MB" in memory.examine(PODS, None, None).what


def test_the_smallest_limit_up_to_the_root_holds(tmp_path: Path) -> None:
    root, own = tmp_path / "cgroup", tmp_path / "self"
    below = root / "kubepods" / "pod1"
    below.mkdir(parents=True)
    own.write_text("0::/kubepods/pod1\n")
    assert limit_of_cgroup(root, own) is None
    (below / "memory.max").write_text("max\n")
    (root / "kubepods" / "memory.max").write_text("4000\n")
    assert limit_of_cgroup(root, own) == 4000
    (below / "memory.max").write_text("3000\n")
    assert limit_of_cgroup(root, own) == 3000


def test_a_container_sees_its_own_cgroup_as_the_root(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "own").write_text("0::/../pod2\n")
    assert limit_of_cgroup(tmp_path, tmp_path / "own") == 5000


def test_cgroup_v1(tmp_path: Path) -> None:
    folder = tmp_path / "memory" / "docker"
    folder.mkdir(parents=True)
    (tmp_path / "own").write_text("12:cpu,cpuacct:/docker\n5:memory:/docker\n")
    (folder / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert limit_of_cgroup(tmp_path, tmp_path / "own") is None
    (folder / "memory.limit_in_bytes").write_text("6000\n")
    assert limit_of_cgroup(tmp_path, tmp_path / "own") == 6000


def test_a_machine_that_does_not_say(tmp_path: Path) -> None:
    assert limit_of_cgroup(tmp_path, tmp_path / "none") is None
    assert memory.available(tmp_path / "none") is None
    (tmp_path / "meminfo").write_text("MemTotal: 10 kB\nMemAvailable:   7 kB\n")
    assert memory.available(tmp_path / "meminfo") == 7 * 1024
