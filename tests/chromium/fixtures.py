"""pytest's side: if a test wants the browser, it is found or installed before any test's timeout runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chromium.find import ChromiumError, find_or_install

FIXTURE = "chromium"
_FOUND = pytest.StashKey[Path | ChromiumError]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Find or install it if a collected test needs it; a failure is kept for the tests that do."""
    wanted = any(FIXTURE in getattr(item, "fixturenames", ()) for item in session.items)
    if wanted and not session.config.option.collectonly:
        capture = session.config.pluginmanager.getplugin("capturemanager")
        if capture is None:
            session.config.stash[_FOUND] = _find()
        else:
            with capture.global_and_fixture_disabled():
                session.config.stash[_FOUND] = _find()


def _find() -> Path | ChromiumError:
    try:
        return find_or_install(lambda text: print(text, flush=True))
    except ChromiumError as error:
        return error


@pytest.fixture(scope="session")
def chromium(request: pytest.FixtureRequest) -> Path:
    """The path of a real Chromium."""
    found = request.config.stash[_FOUND]
    if isinstance(found, ChromiumError):
        raise found
    return found
