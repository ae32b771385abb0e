"""The application in headless Chromium: every page draws its charts, on a desk and on a phone, light and dark.

Without Chromium (or without playwright) these tests do not run; then the layout, what is sent to the
browser and requests to other hosts are not covered.  Set EQUILIBRIA_SCREENSHOTS to a folder to keep the pictures.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from equilibria.dashboards import server

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Page as Tab

CHROMIUM = next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None or importlib.util.find_spec("playwright") is None,
        reason="no Chromium with playwright: layout, bytes sent and foreign requests are not covered",
    ),
]

PAGES = {
    "overview": "",
    "run": "run?run=cfr_kuhn",
    "compare": "compare?a=cfr_kuhn&b=vad_cfr_kuhn",
    "sweep": "sweep?sweep=sweep",
    "launch": "launch?scenario=quick/cfr_kuhn",
    "gallery": "gallery?find=kuhn&size=quick",
    "convergence": "convergence",
    "policy": "policy?run=mmd_kuhn",
    "meta_game": "meta_game?run=psro",
    "dynamics": "dynamics?run=cycle",
    "population": "population?run=schelling",
    "tournament": "tournament?run=tournament",
}
WITHOUT_CHART = {"overview", "launch", "gallery"}
DESK, PHONE = {"width": 1400, "height": 1000}, {"width": 390, "height": 844}
MAX_SENT = 1_000_000


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def address(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    program = Path(server.__file__)
    log = tmp_path_factory.mktemp("server") / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, str(program), "--port", str(port), "--headless", "--", str(runs)],
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    try:
        base = f"http://127.0.0.1:{port}/"
        for _ in range(300):
            assert process.poll() is None, log.read_text()
            try:
                with urllib.request.urlopen(f"{base}_stcore/health", timeout=1) as answer:
                    if answer.read() == b"ok":
                        break
            except OSError:
                time.sleep(0.1)
        yield base
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        options = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        started = play.chromium.launch(executable_path=CHROMIUM, headless=True, args=options)
        yield started
        started.close()


class Visit:
    """A tab that counts what it is sent and what it asks of other hosts."""

    def __init__(self, browser: Browser, size: dict[str, int], scheme: str) -> None:
        options: dict[str, Any] = {"viewport": size, "color_scheme": scheme}
        self.tab: Tab = browser.new_context(**options).new_page()
        self.sent = 0
        self.foreign: list[str] = []
        self.tab.on("websocket", lambda socket: socket.on("framereceived", self._count))
        self.tab.on("request", lambda request: self._note(request.url))

    def _count(self, payload: bytes | str) -> None:
        self.sent += len(payload)

    def _note(self, url: str) -> None:
        if not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")):
            self.foreign.append(url)

    def open(self, url: str, *, chart: bool) -> None:
        self.sent = 0
        self.tab.goto(url)
        self.tab.get_by_test_id("stAppViewContainer").locator("h1").first.wait_for(timeout=30_000)
        if chart:
            self.tab.locator(".js-plotly-plot .main-svg:visible").first.wait_for(timeout=30_000)
        # the attribute says whether the script is still running
        self.tab.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for(timeout=30_000)

    def keep(self, name: str) -> None:
        folder = os.environ.get("EQUILIBRIA_SCREENSHOTS")
        if folder:
            tall = int(self.tab.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight"))
            size = self.tab.viewport_size or DESK
            self.tab.set_viewport_size({"width": size["width"], "height": min(max(tall, 600), 2600)})
            self.tab.wait_for_timeout(1200)
            self.tab.screenshot(path=Path(folder) / f"{name}.png")
            self.tab.set_viewport_size(size)

    def problems(self) -> list[str]:
        found: list[str] = self.tab.get_by_test_id("stException").all_inner_texts()
        found += self.tab.get_by_test_id("stAlertContentError").all_inner_texts()
        return found

    def overflow(self) -> int:
        main = "document.querySelector('[data-testid=stMain]')"
        return int(self.tab.evaluate(f"{main}.scrollWidth - {main}.clientWidth"))


@pytest.fixture(scope="module")
def desk(browser: Browser) -> Visit:
    return Visit(browser, DESK, "light")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_draws_in_the_browser_and_asks_no_other_host(address: str, desk: Visit, name: str) -> None:
    desk.open(address + PAGES[name], chart=name not in WITHOUT_CHART)
    desk.keep(name)
    assert desk.problems() == []
    assert desk.overflow() <= 0
    assert desk.foreign == []
    assert 0 < desk.sent < MAX_SENT


@pytest.mark.parametrize("name", ["run", "sweep"])
def test_a_page_fits_a_phone_in_the_dark(address: str, browser: Browser, name: str) -> None:
    phone = Visit(browser, PHONE, "dark")
    phone.open(address + PAGES[name], chart=True)
    phone.keep(f"{name}_phone")
    assert phone.problems() == []
    assert phone.overflow() <= 0
    colour = phone.tab.evaluate("getComputedStyle(document.querySelector('.js-plotly-plot .main-svg')).background")
    assert "rgb(20, 24, 29)" in colour


def test_the_state_of_a_page_is_in_its_url_and_the_keyboard_reaches_the_controls(address: str, desk: Visit) -> None:
    desk.open(f"{address}run?run=psro", chart=True)
    switch = desk.tab.get_by_role("switch", name="log units").or_(desk.tab.get_by_label("log units")).first
    switch.focus()
    desk.tab.keyboard.press("Space")
    desk.tab.wait_for_url("**logx=true**", timeout=10_000)
    assert "run=psro" in desk.tab.url
    desk.open(desk.tab.url, chart=True)
    assert switch.is_checked()


def test_a_run_started_on_the_page_can_be_opened_from_it(address: str, desk: Visit, runs: Path) -> None:
    desk.open(f"{address}launch?scenario=quick/fxp_climb", chart=False)
    desk.tab.get_by_role("button", name="Run in the background").click()
    desk.tab.get_by_text("Open the run").wait_for(timeout=60_000)
    desk.tab.get_by_text("✓ complete").first.wait_for(timeout=60_000)
    assert any(p.name.startswith("quick-fxp-climb") for p in runs.iterdir())
