"""What the server is started with: loopback only, no statistics, a free port."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from equilibria.dashboards import server
from equilibria.dashboards.frame import parse
from equilibria.sim.errors import BadUsage


def arguments(tmp_path: Path, **options: object) -> list[str]:
    return server.streamlit_arguments(tmp_path, port=None, **options)  # type: ignore[arg-type]


def test_only_loopback_is_bound_by_default_and_nothing_is_reported(tmp_path: Path) -> None:
    given = arguments(tmp_path)
    assert "--server.address=127.0.0.1" in given
    assert "--browser.gatherUsageStats=false" in given
    assert not any("enableXsrfProtection=false" in a or "enableCORS=false" in a for a in given)
    assert parse(given[given.index("--") + 1 :]).read_only is False


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_on_any_other_address_runs_cannot_be_started(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "free_port", lambda address: 8501)
    given = arguments(tmp_path, address=address)
    assert parse(given[given.index("--") + 1 :]).read_only is True


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_loopback_addresses_are_known(address: str) -> None:
    assert server.is_loopback(address)


def test_a_taken_port_and_a_file_as_runs_folder_are_named_errors(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(BadUsage, match="in use"):
            server.streamlit_arguments(tmp_path, port=taken.getsockname()[1])
    (tmp_path / "file").write_text("")
    with pytest.raises(BadUsage, match="is a file"):
        server.streamlit_arguments(tmp_path / "file", port=None)
    assert server.main([str(tmp_path / "file")]) == 2
