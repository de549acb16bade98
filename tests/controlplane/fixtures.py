"""pytest fixtures of the control plane, and the build of its binaries before the first test.

`tests/conftest.py` takes them in with one line:

    pytest_plugins = ["tests.controlplane.fixtures"]

Invariants
1. A build happens after collection and before the first test: no test's timeout runs meanwhile, and its progress shows.
2. Nothing is built or started unless a collected test asks for one of the fixtures.
3. `control_plane` is shared by the whole session: a test uses a namespace, CRD group and user of its own and leaves all
   servers running. A test that breaks servers, or restarts them, takes `fresh_control_plane`.

Road not taken: skipping where the binaries are missing. A test that silently does not run proves nothing.
"""

from collections.abc import Iterator

import pytest

from tests.controlplane.build import Binaries, find_or_build, print_progress
from tests.controlplane.controlplane import ControlPlane
from tests.controlplane.server_process import ControlPlaneError

FIXTURE_NAMES = frozenset({"control_plane", "fresh_control_plane"})
_BINARIES = pytest.StashKey[Binaries | ControlPlaneError]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Builds the binaries if a collected test needs them; a failure is kept for the tests that do."""
    wanted = any(FIXTURE_NAMES.intersection(getattr(item, "fixturenames", ())) for item in session.items)
    if wanted and not session.config.option.collectonly:
        _find_or_build_once(session.config)


def _find_or_build_once(config: pytest.Config) -> Binaries | ControlPlaneError:
    found = config.stash.get(_BINARIES, None)
    if found is None:
        capture = config.pluginmanager.getplugin("capturemanager")
        try:
            if capture is None:
                found = find_or_build(print_progress)
            else:
                with capture.global_and_fixture_disabled():
                    found = find_or_build(print_progress)
        except ControlPlaneError as error:
            found = error
        config.stash[_BINARIES] = found
    return found


def _prepared(config: pytest.Config) -> ControlPlane:
    found = _find_or_build_once(config)
    if isinstance(found, ControlPlaneError):
        raise found
    return ControlPlane(binaries=found)


@pytest.fixture(scope="session")
def control_plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    """The session's shared control plane, started at first use."""
    with _prepared(request.config) as shared:
        yield shared


@pytest.fixture
def fresh_control_plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    """A control plane for one test, which may break it in any way (3 s to start)."""
    with _prepared(request.config) as own:
        yield own
