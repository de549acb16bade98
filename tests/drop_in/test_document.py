"""The guide is what the code says, and has every name of Typha's reference."""

from __future__ import annotations

from pathlib import Path

from tests.drop_in import test_datastore, test_metrics, test_parameters
from typha.drop_in.document import document

FILE = Path(__file__).parents[2] / "docs" / "migrating-from-typha.md"


def test_the_file_is_the_generators_output() -> None:
    hint = "run: python -m typha.drop_in.document > docs/migrating-from-typha.md"
    assert FILE.read_text(encoding="utf-8") == document(), hint


def test_every_name_of_the_reference_is_in_it() -> None:
    text = document()
    metrics = [line.split()[0] for line in test_metrics.REFERENCE.strip().splitlines()]
    for name in (
        *test_parameters.REFERENCE,
        *test_datastore.REFERENCE.split(),
        *metrics,
        "TYPHA_EARLYLOGSEVERITYSCREEN",
    ):
        assert f"`{name}`" in text, name
