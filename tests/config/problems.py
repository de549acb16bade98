"""What is wrong with a configuration file, as its problems say it."""

from __future__ import annotations

from pathlib import Path

from typha.config import ConfigError, load


def found(tmp_path: Path, text: str) -> list[str]:
    """Without the file's name; [] where nothing is."""
    file = tmp_path / "typha.yaml"
    file.write_text(text)
    try:
        load(file=file)
    except ConfigError as error:
        return [str(problem).removeprefix(str(file)) for problem in error.problems]
    return []
