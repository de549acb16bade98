"""The formula beside limits, and what the machine has left."""

from __future__ import annotations

from pathlib import Path

from typha.doctor import memory
from typha.doctor.findings import Outcome
from typha.doctor.memory import MB, Load, bytes_per_scale, needed_bytes

NOTHING = Load(objects=0, entries=0, value_bytes=0, agents=0, tls=False)
PODS = Load(objects=100_000, entries=100_000, value_bytes=46 * MB, agents=1_000, tls=False)


def test_the_formula_is_that_of_the_module() -> None:
    assert needed_bytes(NOTHING) == round(69 * MB * 1.4)
    at_rest = 69 * MB + 46 * MB + 460 * 100_000 + 2_900 * 1_000
    assert needed_bytes(PODS) == round(at_rest * 1.4)
    assert needed_bytes(PODS._replace(tls=True)) - needed_bytes(PODS) == round((45_000 - 2_900) * 1_000 * 1.4)
    assert bytes_per_scale(PODS) == round((46 * MB + 460 * 100_000) * 1.4)
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
    assert "100,000 objects more would take 129 MB" in memory.examine(PODS, None, None).what


def test_a_machine_that_does_not_say(tmp_path: Path) -> None:
    assert memory.available(tmp_path / "none") is None
    (tmp_path / "meminfo").write_text("MemTotal: 10 kB\nMemAvailable:   7 kB\n")
    assert memory.available(tmp_path / "meminfo") == 7 * 1024
