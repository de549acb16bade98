"""What every test gets: the costly assertions are on, and the control-plane fixtures are known."""

from __future__ import annotations

import os

pytest_plugins = ["tests.controlplane.fixtures"]

os.environ["TYPHA_VERIFY"] = "1"
