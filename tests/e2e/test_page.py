"""The status page in a real Chromium, of a real server, on a real API server."""

from __future__ import annotations

import re
from asyncio import to_thread
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import trustme
from playwright.async_api import expect

from tests.chromium.window import WAIT_MS, Window, window
from tests.e2e.house import House
from tests.e2e.objects import pods_topic, relabel
from tests.e2e.typha_process import TyphaProcess

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

SECRET = "c2VjcmV0LXRoYXQtbm9ib2R5LXNlZXM="
Look = Callable[..., AbstractAsyncContextManager[Window]]

expect.set_options(timeout=WAIT_MS)


@pytest.fixture
def look(chromium: Path) -> Look:
    """A window on a server's page; at its end nothing must have complained but what the test took out."""

    @asynccontextmanager
    async def look(server: TyphaProcess, **wish: Any) -> AsyncIterator[Window]:
        async with window(chromium, **wish) as one:
            await one.open(server.admin_url)
            yield one
            assert one.complaints == []

    return look


@pytest_asyncio.fixture
async def served(house: House, namespace: str) -> TyphaProcess:
    """Pods of one namespace ('web', 'db') and Calico's feed; it looks for another server in vain."""
    await to_thread(house.rest.create_pod, namespace, "web", "n1", "10.0.0.1")
    await to_thread(house.rest.create_pod, namespace, "db", "n2", "10.0.0.2")
    await to_thread(house.rest.set_pod_status, namespace, "web", phase="Running", ip="10.0.0.1")
    topics = {"pods": pods_topic(namespace)}
    others = {"advertise": ["127.0.0.1:1"], "replicas": {"interval_s": 1}}
    # Not ready for ten seconds, until Calico's own kinds count as absent: no reason to wait for those who look.
    return await house.serve(topics, {"calico": {"feeds": ["felix"]}} | others, ready=False)


async def test_it_shows_the_server_and_lives(house: House, namespace: str, served: TyphaProcess, look: Look) -> None:
    async with look(served) as one:
        page = one.page
        await expect(page.locator("#state")).to_have_text("ready")
        row = page.locator("#topics-table tr", has=page.get_by_text("pods", exact=True))
        await expect(row.locator("td").nth(1)).to_have_text("in sync")
        await expect(row.locator("td").nth(3)).to_have_text("2")
        # Live: a pod comes, an agent comes, without a word from us.
        await to_thread(house.rest.create_pod, namespace, "more", "n1")
        await expect(row.locator("td").nth(3)).to_have_text("3")
        await house.agent(served, node="n1", topics=["pods"])
        await expect(page.locator("#subscribers-table tbody tr td").first).to_have_text("n1")
        await expect(page.locator("#watches-table")).to_contain_text("v1/pods")
        await expect(page.locator("#replicas-table tr", has_text="127.0.0.1:1").locator("td").nth(1)).to_have_text(
            "unreachable"
        )
        # The charts have a figure, for those too who cannot see them.
        chart = page.get_by_role("img", name="Changes")
        await expect(chart).to_have_attribute("aria-label", re.compile(r"^Changes: .+ now, at most \d"))


async def test_an_object_is_found_and_seen_as_agents_see_it(
    house: House, namespace: str, served: TyphaProcess, look: Look
) -> None:
    async with look(served) as one:
        page = one.page
        # Calico's endpoints come first, in calicoctl's columns.
        await expect(page.locator("#search-topic")).to_have_value("workloadendpoints")
        await expect(page.locator("#search-tables th").first).to_have_text("HOSTNAME")
        headings = await page.locator("#search-tables th").all_inner_texts()
        assert headings[:4] == ["HOSTNAME", "ORCHESTRATOR", "WORKLOAD", "NAME"]
        await page.keyboard.press("/")
        await page.keyboard.type(f"{namespace} web")
        await expect(page.locator("#search-tables tbody tr")).to_have_count(1)
        assert (await one.rows("#search-tables"))[0][:4] == ["n1", "k8s", f"{namespace}.web", "eth0"]

        # By keyboard alone: open it, see it change, close it, be where one was.
        await page.locator("#search-topic").select_option("pods")
        await page.locator("#search-filter").select_option("node")
        await page.locator("#search-value").fill("n1")
        link = page.get_by_role("button", name="web", exact=True)
        await link.focus()
        await page.keyboard.press("Enter")
        value = page.locator("#object-value")
        await expect(value).to_contain_text('"podIP": "10.0.0.1"')
        await expect(page.get_by_role("dialog")).to_contain_text("Filter node")
        await to_thread(relabel, house.rest, namespace, "web", colour="blue")
        await expect(value).to_contain_text('"colour": "blue"')
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await expect(link).to_be_focused()

        # What is in no key is found in the values, if one asks for it.
        await page.locator("#search-filter").select_option("")
        await page.locator("#search-words").fill("10.0.0.1")
        await expect(page.locator("#search-result")).to_have_text("0 objects")
        await page.get_by_label("also in values").check()
        await expect(page.locator("#search-result")).to_have_text("1 object")


@pytest_asyncio.fixture
async def secret(house: House, namespace: str, tmp_path: Path) -> TyphaProcess:
    """A Secret, served as it may be: with TLS, and a rule that names it. The certificate ends in three days."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", not_after=datetime.now(UTC) + timedelta(days=3, hours=1))
    files = {name: tmp_path / f"{name}.pem" for name in ("cert", "key", "client_ca")}
    certificate.cert_chain_pems[0].write_to_path(files["cert"])
    certificate.private_key_pem.write_to_path(files["key"])
    authority.cert_pem.write_to_path(files["client_ca"])
    body = {"metadata": {"name": "key"}, "data": {"password": SECRET}}
    await to_thread(house.rest.create, "v1/secrets", body, namespace)
    topic = {"resource": "v1/secrets", "namespace": namespace, "filters": {"password": "data.password"}}
    rights = {"agents": {"identities": ["dns:agent.example"], "topics": ["secrets"]}}
    tls = {name: str(path) for name, path in files.items()}
    return await house.serve({"secrets": topic}, {"tls": tls, "rights": rights})


async def test_certificates_and_their_ends(secret: TyphaProcess, look: Look) -> None:
    async with look(secret) as one:
        row = one.page.locator("#certificates-table tr", has_text="certificate")
        await expect(row.locator("td").nth(1)).to_have_text("in force")
        await expect(row.locator("td").nth(2)).to_have_text(re.compile(r"^in (3d|2d23h)"))
        await expect(row.locator("td").nth(2)).to_have_attribute("data-tone", "bad")


async def test_values_of_secrets_stay_where_they_are(secret: TyphaProcess, look: Look) -> None:
    async with look(secret) as one:
        page = one.page
        await page.locator("#search-topic").select_option("secrets")
        await page.get_by_role("button", name="key", exact=True).click()
        await expect(page.locator("#object-value")).to_have_text("values of Secrets are not shown")
        await page.keyboard.press("Escape")
        await page.get_by_label("also in values").check()
        await page.locator("#search-words").fill(SECRET[:8])
        await expect(page.locator("#search-result")).to_have_text("0 objects")
        # Nor by a filter on it, which would tell a guess from a miss.
        await page.locator("#search-words").fill("")
        await page.locator("#search-filter").select_option("password")
        await page.locator("#search-value").fill(SECRET)
        await expect(page.locator("#search-result")).to_have_text("secrets are Secrets: they are found by name only")
        assert SECRET not in await page.content()
        # The browser says on its console that a question was answered with 400.
        assert all("400" in text for text in one.complaints)
        one.complaints.clear()


async def test_an_outage_of_the_api_server_is_seen_and_its_end(fresh_house: House, look: Look) -> None:
    house = fresh_house
    await to_thread(house.rest.create_namespace, "a")
    await to_thread(house.rest.create_pod, "a", "web", "n1")
    quick = {"upstream": {"probe_after_s": 1, "probe_timeout_s": 1, "replace_after_s": 2}}
    server = await house.serve({"pods": pods_topic()}, quick | {"timing": {"stale_after_s": 2}})
    async with look(server) as one:
        page = one.page
        state = page.locator("#topics-table tbody tr td").nth(1)
        await expect(state).to_have_text("in sync")
        await to_thread(house.control_plane.kill_apiserver)
        await expect(state).to_have_text("stale")
        await expect(page.locator("#facts")).to_contain_text("1 of 1 not in sync")
        await expect(page.locator("#recoveries-list")).to_contain_text("stale")
        await expect(page.locator("#watches-table td").last).not_to_be_empty()
        # Told to those who listen, not only to those who see.
        await expect(page.locator("#news")).to_have_text("pods is stale")
        await expect(page.locator("#state")).to_have_text("ready")
        await to_thread(house.control_plane.restart_apiserver)
        await expect(state).to_have_text("in sync")
        await expect(page.locator("#recoveries-list")).to_contain_text("served again after")


async def test_a_server_that_is_gone_is_said_so(served: TyphaProcess, look: Look) -> None:
    async with look(served) as one:
        await to_thread(served.kill)
        alarm = one.page.get_by_role("alert")
        await expect(alarm).to_contain_text("the server does not answer; what stands here is")
        await to_thread(served.start, ready=False)
        one.complaints.clear()


async def test_axe_finds_nothing_in_either_colours(house: House, served: TyphaProcess, look: Look) -> None:
    await house.agent(served, node="n1", topics=["pods"])
    async with look(served) as one:
        for theme in ("light", "dark"):
            await one.page.get_by_label("Colours").select_option(theme)
            await one.page.locator("#search-tables tbody tr").first.wait_for()
            await one.page.locator("#subscribers-table tbody tr").first.wait_for()
            assert await one.axe() == []
            await one.page.locator("#search-tables button.link").first.click()
            await expect(one.page.locator("#object-value")).not_to_be_empty()
            assert await one.axe() == []
            await one.page.keyboard.press("Escape")


async def test_colours_are_the_systems_or_the_chosen_ones(served: TyphaProcess, look: Look) -> None:
    async with look(served, scheme="light") as one:
        background = "getComputedStyle(document.body).backgroundColor"
        light = await one.page.evaluate(background)
        await one.page.emulate_media(color_scheme="dark")
        dark = await one.page.evaluate(background)
        assert dark != light
        await one.page.get_by_label("Colours").select_option("light")
        assert await one.page.evaluate(background) == light
        # Kept for the next visit.
        await one.open(served.admin_url)
        assert await one.page.evaluate(background) == light
        await one.page.get_by_label("Colours").select_option("auto")
        assert await one.page.evaluate(background) == dark


async def test_no_width_scrolls_sideways(served: TyphaProcess, look: Look) -> None:
    async with look(served) as one:
        await one.page.locator("#search-tables tbody tr").first.wait_for()
        for width in (2560, 1440, 1000, 768, 360, 320):
            await one.page.set_viewport_size({"width": width, "height": 800})
            # Two frames: the charts follow in the next.
            await one.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            assert await one.page.evaluate("document.documentElement.scrollWidth") <= width


async def test_every_control_is_reached_by_tab_and_tables_sort_by_keyboard(served: TyphaProcess, look: Look) -> None:
    async with look(served) as one:
        page = one.page
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        left = {"pause", "theme", "search-topic", "search-words", "search-values", "subscribers-words"}
        for _ in range(500):  # objects that were found are links on the way, as many as the cluster has
            await page.keyboard.press("Tab")
            left.discard(await page.evaluate("document.activeElement.id"))
            if not left:
                break
        assert not left, "not reached"
        entries = page.locator("#topics-table").get_by_role("button", name="Entries")
        await entries.focus()
        await page.keyboard.press("Enter")
        heading = page.locator("#topics-table th", has_text="Entries")
        await expect(heading).to_have_attribute("aria-sort", "descending")
        await page.keyboard.press("Enter")
        await expect(heading).to_have_attribute("aria-sort", "ascending")
