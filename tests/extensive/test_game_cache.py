"""The disk cache of compiled games: equal content, damage ignored, no home no problem."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from equilibria.games.extensive import cache, openspiel


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "equilibria" / "games"


def test_a_game_from_the_cache_equals_the_walked_one(place: Path) -> None:
    walked = openspiel("kuhn_poker(players=3)")
    assert len(list(place.glob("*.npz"))) == 1
    cached = openspiel("kuhn_poker(players=3)")
    assert cached is not walked
    for field in dataclasses.fields(walked):
        mine, other = getattr(walked, field.name), getattr(cached, field.name)
        if field.name == "arrays":
            for a in dataclasses.fields(mine):
                assert np.array_equal(getattr(mine, a.name), getattr(other, a.name)), a.name
        else:
            assert mine == other, field.name
    assert not cached.arrays.val.flags.writeable


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "text", "foreign archive"])
def test_a_damaged_file_is_ignored_and_rewritten(place: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    content = openspiel("kuhn_poker").content_hash
    [path] = place.glob("*.npz")
    good = path.read_bytes()
    if damage == "foreign archive":
        np.savez(path, a=np.zeros(3))
    else:
        middle = len(good) // 2
        flipped = good[:middle] + bytes([good[middle] ^ 0xFF]) + good[middle + 1 :]
        path.write_bytes({"truncated": good[:middle], "flipped": flipped, "empty": b"", "text": b"hello"}[damage])
    assert openspiel("kuhn_poker").content_hash == content
    assert "damaged" in caplog.text
    caplog.clear()
    assert openspiel("kuhn_poker").content_hash == content
    assert caplog.text == ""
    assert len(list(place.iterdir())) == 1, "no temporary file stays behind"


def test_recall_modes_do_not_share_a_file() -> None:
    assert cache.key("openspiel", "x()", "error") != cache.key("openspiel", "x()", "refine")


def test_without_a_home_folder_nothing_is_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    assert cache.folder() is None
    assert openspiel("kuhn_poker").nodes == 58


def test_a_folder_that_cannot_be_made_costs_only_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocker))
    assert openspiel("kuhn_poker").nodes == 58
