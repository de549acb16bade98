"""A configuration with the source of each value."""

from __future__ import annotations

import json

from typha.config import load
from typha.config.load import settings_of
from typha.config.show import as_json, rows


def test_rows_have_every_setting_with_its_source() -> None:
    loaded = load(environment={"TYPHA_LIMITS_MAX_JOINERS": "8"}, flags={"health": "off"})
    shown = {row.path: row for row in rows(loaded)}
    assert list(shown) == [path for path, _, _ in settings_of()]
    assert (shown["limits.max_joiners"].text, shown["limits.max_joiners"].source) == (
        "8",
        "environment TYPHA_LIMITS_MAX_JOINERS",
    )
    assert (shown["health"].text, shown["health"].source_kind) == ("off", "flag")
    assert (shown["upstream.watch_timeout_s"].text, shown["upstream.watch_timeout_s"].source) == (
        "[300, 600]",
        "default",
    )


def test_json_can_be_written() -> None:
    page = json.loads(json.dumps(as_json(load())))
    assert page["tls.cert"] == {"value": None, "source": "default", "kind": "default", "variable": "TYPHA_TLS_CERT"}
    assert page["listen"]["value"] == "127.0.0.1:5473"
