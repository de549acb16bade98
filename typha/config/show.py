"""A loaded configuration as rows and as JSON, each value with the place it came from (``--print-config``)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from typha.config.environment import variable_of
from typha.config.load import Loaded, settings_of
from typha.config.model import Config


class Row(NamedTuple):
    """One setting as it is in force. ``value`` is what YAML or JSON would hold."""

    path: str
    value: object
    source: str
    source_kind: str

    @property
    def text(self) -> str:
        """The value in one line."""
        return self.value if isinstance(self.value, str) else json.dumps(self.value, ensure_ascii=False)


def rows(loaded: Loaded) -> Iterator[Row]:
    """Every setting in the order of the documentation."""
    for path, setting, _ in settings_of():
        source = loaded.sources[path]
        yield Row(path, setting.kind.show(value_at(loaded.config, path)), str(source), source.kind)


def as_json(loaded: Loaded) -> dict[str, dict[str, object]]:
    """``{path: {value, source, kind, variable}}``."""
    return {
        row.path: {
            "value": row.value,
            "source": row.source,
            "kind": row.source_kind,
            "variable": variable_of(row.path),
        }
        for row in rows(loaded)
    }


def value_at(config: Config, path: str) -> object:
    """The value at a path such as ``timing.ping_interval_s``."""
    found: object = config
    for name in path.split("."):
        found = getattr(found, name)
    return found
