"""Prometheus' own promtool, built once: what it accepts, a Prometheus of that release loads."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

from tests.controlplane.go_program import find_or_build

MODULE: Final = Path(__file__).parent / "gomodule"
PACKAGE: Final = "github.com/prometheus/prometheus/cmd/promtool"
# Service discovery of all clouds, which no rule needs, is most of its code.
TAGS: Final = "remove_all_sd"


def promtool(*arguments: str | Path) -> str:
    """Its output. Raises AssertionError with what it said where it fails."""
    done = subprocess.run(
        [find_or_build("promtool", MODULE, PACKAGE, tags=TAGS), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    said = done.stdout + done.stderr
    if done.returncode:
        raise AssertionError(f"promtool {' '.join(map(str, arguments))}: exit {done.returncode}: {said.strip()}")
    return said


def check_expressions(expressions: list[str], folder: Path) -> None:
    """Each parses as PromQL. Raises AssertionError with those that do not."""
    rules = [{"record": f"expression:{number}", "expr": each} for number, each in enumerate(expressions)]
    check_rules({"groups": [{"name": "expressions", "rules": rules}]}, folder)


def check_rules(groups: dict[str, Any], folder: Path) -> None:
    """A whole file of rules: expressions, durations, labels and the templates of annotations."""
    file = folder / "rules.yaml"
    file.write_text(yaml.safe_dump(groups))
    promtool("check", "rules", "--lint=all", "--lint-fatal", file)
