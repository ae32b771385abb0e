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
    "auctions": "auctions?run=first_price",
    "bidding": "bidding?run=rtb_market",
    "bandits": "bandits?run=payments",
    "market": "market?run=order_market",
    "cooperative": "cooperative?run=team",
    "dag": "dag?run=bn_climbing",
    "gains": "gains?run=psro",
}
WITHOUT_CHART = {"overview", "launch", "gallery"}
DESK, PHONE = {"width": 1400, "height": 1000}, {"width": 390, "height": 844}
MAX_SENT = 1_000_000
# Texts whose contrast with what lies behind them is below WCAG's 4.5 (3 for large ones); icons and what is switched off
# are left out.  Backgrounds are those of the nearest ancestor that has one; opacity of ancestors counts.  Numbers in cells of
# heat maps have unit tests of their own, and the number over a slider's thumb does not lie on it.
CONTRAST = r"""
() => {
  const rgb = c => { const m = c.match(/[\d.]+/g).map(Number); return m.length < 4 ? [...m.slice(0, 3), 1] : m; };
  const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3]));
  const part = v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const light = c => 0.2126 * part(c[0]) + 0.7152 * part(c[1]) + 0.0722 * part(c[2]);
  const behind = e => {
    const stack = [];
    for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); stack.push(c); if (c[3] === 1) break; }
    return stack.reverse().reduce((under, c) => over(c, under), [255, 255, 255]);
  };
  const found = [];
  const walker = document.createTreeWalker(document.querySelector('[data-testid=stApp]'), NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const text = node.textContent.trim(), e = node.parentElement;
    if (!text || !e.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
    if (e.closest('[data-testid=stIconMaterial], [disabled], [aria-disabled=true], script, style, canvas, [data-testid=stSliderThumbValue], .scatterlayer, .js-plotly-plot .hoverlayer')) continue;
    const style = getComputedStyle(e), box = e.getBoundingClientRect();
    if (!box.width || !box.height) continue;
    const svg = e instanceof SVGElement;
    const ink = rgb(svg ? style.fill : style.color), back = behind(svg ? e.closest('svg') : e);
    for (let a = e; a; a = a.parentElement) ink[3] *= Number(getComputedStyle(a).opacity);
    if (!ink[3]) continue;
    const shown = over(ink, back), pair = [light(shown), light(back)].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05), size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) found.push(ratio.toFixed(2) + ' ' + text.slice(0, 60));
  }
  return found;
}
"""


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
        self.tab.get_by_test_id("stAppViewContainer").locator("h1").first.wait_for(timeout=90_000)
        if chart:
            self.tab.locator(".js-plotly-plot .main-svg:visible").first.wait_for(timeout=90_000)
        # the attribute says whether the script is still running
        self.tab.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for(timeout=90_000)

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

    def faint(self) -> list[str]:
        """Return texts without enough contrast."""
        found: list[str] = self.tab.evaluate(CONTRAST)
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
    assert desk.faint() == []
    assert desk.foreign == []
    assert 0 < desk.sent < MAX_SENT
    desk.tab.set_viewport_size(PHONE)
    desk.tab.wait_for_timeout(700)  # charts follow the width
    narrow = desk.overflow()
    desk.tab.set_viewport_size(DESK)
    assert narrow <= 0


@pytest.mark.parametrize("name", ["run", "bidding"])
def test_a_page_fits_a_phone_in_the_dark(address: str, browser: Browser, name: str) -> None:
    phone = Visit(browser, PHONE, "dark")
    phone.open(address + PAGES[name], chart=True)
    phone.keep(f"{name}_phone")
    assert phone.problems() == []
    assert phone.overflow() <= 0
    assert phone.faint() == []
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
