"""A pytest fixture for agents' own tests: ``typha_server``, a FakeServer without topics' contents.

    def test_my_agent(typha_server):
        typha_server.add_topic("pods")
        ...

Declared as entry point ``pytest11``; it is loaded by every pytest run of an environment that has typha installed,
so it imports the fake server only when a test asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from typha_client.testing import FakeServer


@pytest.fixture
def typha_server() -> Iterator[FakeServer]:
    """A running FakeServer; give it topics with ``add_topic`` before the agent connects."""
    from typha_client.testing import FakeServer  # noqa: PLC0415 - see the module's docstring

    with FakeServer() as server:
        yield server
