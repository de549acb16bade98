"""Promise by promise over random histories: hypothesis chooses what tenants, replicas and sockets do.

After every commit of every client its copy is compared with the API server's state at the cursor, and each handed
over change with what its handlers saw before (``tests/kit/client``); after every step the cache's two invariants
are checked against the true history (``tests/kit/invariants``).
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.kit.checked_copy import Promise
from tests.promises.histories import Histories

# Nightly and by hand: HISTORIES=100000 make test
HISTORIES = int(os.environ.get("HISTORIES", "2000"))
# 25 ms each on an idle core; ten times that is a hang.
pytestmark = pytest.mark.timeout(120 + HISTORIES // 4)


def settings_for(histories: int) -> settings:
    return settings(
        max_examples=max(1, histories),
        stateful_step_count=40,
        deadline=None,
        derandomize="CI" in os.environ,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        print_blob=True,
    )


def run(name: str, promise: Promise) -> None:
    """Random histories in which nothing but this promise is looked at: its failure is a breach of it."""
    machine = type(name, (Histories,), {"promises": promise})
    run_state_machine_as_test(machine, settings=settings_for(HISTORIES // 40))


def test_state_equals_truth_at_every_bookmark(held: str) -> None:
    run_state_machine_as_test(Histories, settings=settings_for(HISTORIES if held == "plain" else HISTORIES // 4))


def test_entry_rv_bounds() -> None:
    """Invariant (a): last real change <= entry's rv <= head, after every step, for every filter."""
    run("EntryBounds", Promise.ENTRY_BOUNDS)


def test_every_resumable_cursor_finds_its_deletions() -> None:
    """Invariant (b) for every cursor from 0 to head, after every step, for every filter."""
    run("Deletions", Promise.DELETIONS)


def test_handlers_never_travel_back() -> None:
    """Per key, the true change that handlers saw never decreases, over all servers of one life."""
    run("Monotonic", Promise.MONOTONIC)


def test_handlers_see_rv_order() -> None:
    """Across puts and deletes of one commit too."""
    run("Ordered", Promise.ORDERED)


def test_no_version_twice() -> None:
    """What is held already is handed to nobody again."""
    run("Unique", Promise.UNIQUE)
