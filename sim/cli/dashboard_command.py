"""``equilibria dashboard``: pages in a browser that show runs, compare them and start new ones."""

from __future__ import annotations

import importlib.resources
import importlib.util
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("dashboard")(dashboard)


def dashboard(
    runs: Annotated[Path, typer.Argument(help="Folder that holds the runs.", metavar="RUNS")] = Path("runs"),
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="TCP port; default: a free one.")] = None,
    address: Annotated[
        str, typer.Option("--address", help="Address to listen on; another one than loopback shows runs only.")
    ] = "127.0.0.1",
    headless: Annotated[bool, typer.Option("--headless", help="Do not open a browser.")] = False,
    read_only: Annotated[bool, typer.Option("--read-only", help="Show runs, start none.")] = False,
) -> None:
    """Show runs in the browser: convergence, certificates, policies, populations; start, stop and resume runs."""
    import subprocess
    import sys

    from equilibria.sim.errors import MissingExtra

    for module in ("streamlit", "plotly"):
        if importlib.util.find_spec(module) is None:
            raise MissingExtra("equilibria dashboard", "dashboard")
    # started as a program: the kernel imports no floor above it
    program = Path(str(importlib.resources.files("equilibria"))) / "dashboards" / "server.py"
    options = ["--address", address, *(["--port", str(port)] if port is not None else [])]
    options += ["--headless"] * headless + ["--read-only"] * read_only
    server = subprocess.Popen([sys.executable, str(program), *options, "--", str(runs)])
    try:
        code = server.wait()
    except KeyboardInterrupt:
        code = server.wait()  # the terminal has told the server, too
    raise typer.Exit(code)
