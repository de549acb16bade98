"""A real API server with the kinds of other projects defined."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.controlplane.controlplane import ControlPlane
from tests.deploy.cluster import Cluster


@pytest.fixture(scope="module")
def cluster(control_plane: ControlPlane) -> Iterator[Cluster]:
    with Cluster(control_plane) as ready:
        yield ready
