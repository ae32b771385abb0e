"""Dashboard: opening a run of 1e7 rows against one of 1e4, bytes sent, memory of the server.

Headless Chromium opens the page of a run that the server has not seen yet and waits until the chart is drawn and the
script is done; a visit to another run before warms imports and the browser.  Every visit has a copy of its run (hard
links), so that no cache of the server helps.  Needs Chromium and the package ``playwright``.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from equilibria.benchmarks.common import Row
from equilibria.dashboards import server
from equilibria.sim.errors import Unsupported
from equilibria.sim.run import start_run
from equilibria.sim.scenario import load_plan
from equilibria.sim.store import layout

SMALL, LARGE = 10_000, 10_000_000
_PART = 1_000_000
_SECONDS = 120


def rows(*, quick: bool = False) -> Iterator[Row]:
    """Yield the measured cases."""
    import streamlit  # noqa: F401 - named here, so that a missing extra is said before runs are made

    visits = 2 if quick else 5
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "runs"
        write_run(root / "warm", SMALL)
        for size, name in ((SMALL, "small"), (LARGE, "large")):
            write_run(root / f"{name}_0", size)
            for k in range(1, visits):
                shutil.copytree(root / f"{name}_0", root / f"{name}_{k}", copy_function=os.link)
        with serving(root) as served, browsing() as browser:
            visit(browser, f"{served.address}run?run=warm")
            found: dict[str, list[Opened]] = {"small": [], "large": []}
            for k in range(visits):
                for name, seen in found.items():
                    seen.append(visit(browser, f"{served.address}run?run={name}_{k}"))
            memory = served.peak_gigabytes()
    took = {name: statistics.median(o.seconds for o in seen) for name, seen in found.items()}
    note = f"medians of {visits} cold visits: {took['large']:.2f} s and {took['small']:.2f} s"
    yield Row(
        case="run page, 1e7 rows over 1e4 rows",
        ours=took["large"] / took["small"],
        unit="times as long",
        target=1.6,
        note=note,
    )
    yield Row(
        case="run page, 1e7 rows, sent to the browser",
        ours=max(o.sent for o in found["large"]) / 1e6,
        unit="MB",
        target=1.0,
    )
    yield Row(case="server, greatest memory", ours=memory, unit="GB", target=1.5)


def write_run(path: Path, count: int) -> None:
    """Make a finished run whose metric ``exploitability`` has ``count`` rows."""
    start_run(load_plan("quick/cfr_kuhn"), path)
    folder = path / layout.METRICS
    for part in layout.part_files(folder):
        part.unlink()
    for first in range(0, count, _PART):
        unit = np.arange(first, min(count, first + _PART))
        frame = pl.DataFrame({"unit": unit, "value": 1.0 / (unit + 1.0) * (1.0 + 0.5 * np.sin(unit))})
        frame = frame.select(
            "unit", pl.lit("exploitability").alias("metric"), pl.lit("").alias("key"), "value"
        )  # the order of columns of the store
        frame.write_parquet(folder / layout.part_name(int(unit[-1])), compression="zstd", compression_level=1)


@dataclass(frozen=True, slots=True)
class Served:
    """A server in a process of its own.

    Attributes:
        address: Its URL, ending in a slash.
        pid: Its process.
    """

    address: str
    pid: int

    def peak_gigabytes(self) -> float:
        """Return the greatest resident memory so far; NaN where the system does not say."""
        try:
            lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        except OSError:
            return float("nan")
        return next((int(line.split()[1]) * 1024 / 1e9 for line in lines if line.startswith("VmHWM")), float("nan"))


@contextmanager
def serving(root: Path) -> Iterator[Served]:
    """Start a server for a runs folder and end it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    process = subprocess.Popen(
        [sys.executable, str(server.__file__), "--port", str(port), "--headless", "--", str(root)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    served = Served(f"http://127.0.0.1:{port}/", process.pid)
    try:
        end = time.monotonic() + _SECONDS
        while time.monotonic() < end and process.poll() is None:
            try:
                with urllib.request.urlopen(f"{served.address}_stcore/health", timeout=1) as answer:
                    if answer.read() == b"ok":
                        break
            except OSError:
                time.sleep(0.1)
        if process.poll() is not None:
            raise Unsupported(f"the dashboard server ended with exit code {process.returncode} before it answered")
        yield served
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)


@contextmanager
def browsing() -> Iterator[Any]:
    """Start headless Chromium.

    Raises:
        Unsupported: If there is none.
    """
    from playwright.sync_api import sync_playwright

    program = next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None)
    if program is None:
        raise Unsupported("benchmark 'dashboard' needs Chromium; install it with the system's package manager")
    with sync_playwright() as play:
        options = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        browser = play.chromium.launch(executable_path=program, headless=True, args=options)
        yield browser
        browser.close()


@dataclass(frozen=True, slots=True)
class Opened:
    """One visit.

    Attributes:
        seconds: From the address to the drawn chart and the end of the script.
        sent: Bytes that the server sent through its socket.
    """

    seconds: float
    sent: int


def visit(browser: Any, url: str) -> Opened:
    """Open a page in a fresh context and wait for its first chart."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    try:
        tab = context.new_page()
        sizes: list[int] = []
        tab.on("websocket", lambda s: s.on("framereceived", lambda payload: sizes.append(len(payload))))
        start = time.perf_counter()
        tab.goto(url)
        tab.locator(".js-plotly-plot .main-svg:visible").first.wait_for(timeout=_SECONDS * 1000)
        tab.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for(timeout=_SECONDS * 1000)
        return Opened(time.perf_counter() - start, sum(sizes))
    finally:
        context.close()
