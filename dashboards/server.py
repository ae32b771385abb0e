"""Starts the server of the dashboards: ``python server.py RUNS [--port N] [--address A] [--headless] [--read-only]``.

The command line starts this file as a program, so that the kernel does not import the dashboards.
Only the loopback address is bound by default.  On any other address starting runs is off, because a
scenario can name code to import.
"""

from __future__ import annotations

import argparse
import ipaddress
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from equilibria.dashboards.look import SHADES
from equilibria.sim.errors import BadUsage, EquilibriaError

FIRST_PORT: Final = 8501
_TRIES: Final = 50


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the server and return its exit code."""
    try:
        given = _parse(sys.argv[1:] if arguments is None else arguments)
        command = streamlit_arguments(
            given.runs, port=given.port, address=given.address, headless=given.headless, read_only=given.read_only
        )
    except EquilibriaError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    from streamlit.web import cli

    sys.argv = ["streamlit", *command]
    cli.main(standalone_mode=False)
    return 0


def streamlit_arguments(
    runs: Path, *, port: int | None, address: str = "127.0.0.1", headless: bool = False, read_only: bool = False
) -> list[str]:
    """Return the arguments of ``streamlit``.

    Args:
        runs: The runs folder; it may not exist yet.
        port: TCP port; the first free one from 8501 when absent.
        address: Address to bind.
        headless: Do not open a browser.
        read_only: Switch starting runs off.

    Raises:
        BadUsage: If ``runs`` is a file, or the port is taken.
    """
    if runs.exists() and not runs.is_dir():
        raise BadUsage(f"{runs}: is a file; give the folder that holds the runs")
    chosen = free_port(address) if port is None else port
    if port is not None and not _is_free(address, port):
        raise BadUsage(f"port {port} of {address} is in use or not allowed; choose another --port or leave it out")
    options = {
        "server.address": address,
        "server.port": str(chosen),
        "server.headless": str(headless).lower(),
        "server.fileWatcherType": "none",
        "server.runOnSave": "false",
        "browser.gatherUsageStats": "false",
        "browser.serverAddress": address,
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "logger.level": "warning",
        **_theme(),
    }
    flags = [f"--{key}={value}" for key, value in options.items()]
    own = [str(runs), *(["--read-only"] if read_only or not is_loopback(address) else [])]
    return ["run", str(Path(__file__).with_name("app.py")), *flags, "--", *own]


def is_loopback(address: str) -> bool:
    """Say whether an address is reachable from this machine only."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def free_port(address: str) -> int:
    """Return the first free port from 8501.

    Raises:
        BadUsage: If none of the next 50 is free, or the address is not one of this machine.
    """
    for port in range(FIRST_PORT, FIRST_PORT + _TRIES):
        if _is_free(address, port):
            return port
    raise BadUsage(f"no free port from {FIRST_PORT} to {FIRST_PORT + _TRIES - 1} on {address}; give --port")


def _is_free(address: str, port: int) -> bool:
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
    except (OSError, OverflowError):
        return False
    return True


def _theme() -> dict[str, str]:
    found: dict[str, str] = {}
    for mode, shades in SHADES.items():
        found |= {
            f"theme.{mode}.backgroundColor": shades.background,
            f"theme.{mode}.secondaryBackgroundColor": shades.panel,
            f"theme.{mode}.textColor": shades.text,
            f"theme.{mode}.primaryColor": shades.accent,
        }
    return found


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="equilibria dashboard")
    parser.add_argument("runs", nargs="?", default=Path("runs"), type=Path)
    parser.add_argument("--port", type=int)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--headless", action="store_true")
    parser.add_argument("--read-only", action="store_true")
    return parser.parse_args(list(arguments))


if __name__ == "__main__":
    sys.exit(main())
