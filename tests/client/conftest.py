from __future__ import annotations

import pytest

from typha_client.pytest_plugin import typha_server

__all__ = ["typha_server"]


@pytest.fixture(autouse=True)
def verify(monkeypatch: pytest.MonkeyPatch) -> None:
    """Costly assertions on: each Bookmark compares the copy with the sum of its changes."""
    monkeypatch.setenv("TYPHA_VERIFY", "1")
