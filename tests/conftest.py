"""What every test gets: the costly assertions are on, and the fixtures of control plane and browser are known."""

from __future__ import annotations

import os
import signal

# As a whole, before typha takes the parts that it needs: some tests use it as an agent's author would.
import kubernetes_asyncio  # noqa: F401

pytest_plugins = ["tests.controlplane.fixtures", "tests.chromium.fixtures"]

os.environ["TYPHA_VERIFY"] = "1"

# A shell's background job starts with SIGINT ignored, and so would the commands that are interrupted here.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
