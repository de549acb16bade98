"""Everything that is promised to agents holds of packed values, too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.packing import everything_packed


@pytest.fixture(params=["plain", "packed"], scope="module", autouse=True)
def _held(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.param == "plain":
        yield
        return
    with everything_packed():
        yield
