"""One window of a real Chromium, driven by playwright, that remembers all that the page complained about.

Invariant: what the browser says on its console, what the policy forbids, what is answered with an error and what
scripts throw is in `complaints`; a test takes out what it expects, and the rest fails it.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Page, async_playwright

# Nothing but the page may use the network: the browser's own calls home fail slowly where there is none.
ARGUMENTS: Final = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
# The longest waits are for a server to notice something, on a machine with all cores taken.
WAIT_MS: Final = 45_000


class Window:
    """See the module. ``page`` is playwright's."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", lambda message: self._said(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(f"thrown: {error}"))
        page.on("requestfailed", lambda request: self._failed(request.url, request.failure or ""))

    def _said(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(f"{kind}: {text}")

    def _failed(self, url: str, why: str) -> None:
        if why != "net::ERR_ABORTED":  # asked by a page that was left or loaded anew meanwhile
            self.complaints.append(f"failed: {url} {why}")

    async def open(self, url: str) -> None:
        """Load the page and wait for its first picture."""
        await self.page.goto(url)
        await self.page.locator("#topics-table tbody tr").first.wait_for()

    async def rows(self, place: str) -> list[list[str]]:
        """The texts of a table's cells."""
        script = "(table) => [...table.querySelectorAll('tbody tr')].map(row => [...row.cells].map(c => c.innerText))"
        found: list[list[str]] = await self.page.locator(f"{place} table").first.evaluate(script)
        return found

    async def axe(self) -> list[str]:
        """What axe-core finds wrong with the page as it is: rule, help, and the elements."""
        await self.page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
        found: dict[str, Any] = await self.page.evaluate("axe.run(document)")
        assert found["passes"], "axe checked nothing"
        return [
            f"{each['id']}: {each['help']}: {[node['html'][:200] for node in each['nodes'][:3]]}"
            for each in found["violations"]
        ]


@asynccontextmanager
async def window(
    chromium: Path, *, width: int = 1440, height: int = 900, scheme: Any = "light", scale: float = 1
) -> AsyncIterator[Window]:
    """An empty window of that size; ``scheme`` is what the system prefers, light or dark."""
    arguments = [*ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=arguments)
        try:
            context = await browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme, device_scale_factor=scale
            )
            context.set_default_timeout(WAIT_MS)
            yield Window(await context.new_page())
        finally:
            await browser.close()
