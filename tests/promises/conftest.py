"""Everything that is promised to agents holds of packed values, too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.packing import everything_packed


@pytest.fixture(params=["plain", "packed"], scope="module", autouse=True)
def held(request: pytest.FixtureRequest) -> Iterator[str]:
    """How values are held: plain or packed."""
    if request.param == "plain":
        yield "plain"
        return
    with everything_packed():
        yield "packed"
