"""The documentation is what the code says."""

from __future__ import annotations

from pathlib import Path

from typha.config.document import document
from typha.config.load import settings_of

FILE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_file_is_the_generators_output() -> None:
    hint = "run: python -m typha.config.document > docs/configuration.md"
    assert FILE.read_text(encoding="utf-8") == document(), hint


def test_every_setting_has_its_reason_and_what_is_allowed() -> None:
    for path, setting, _ in settings_of():
        assert setting.about.endswith("."), path
        assert setting.reason.endswith("."), path
        assert setting.kind.allowed, path
        assert f"### `{path}`" in document()
