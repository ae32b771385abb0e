"""Compiled games on disk: one ``.npz`` per game string, OpenSpiel version and engine version.

A file has four members, so that reading costs one pass: ``header`` (JSON), ``text`` (infostate
strings), ``words`` (all uint32 arrays) and ``reals`` (``val`` and ``cval``).  The zip container
checks a CRC of every member; a damaged or foreign file counts as absent and is written anew.
Files are replaced atomically.  Without a usable cache folder everything works, only slower.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
import zipfile
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equilibria.games.extensive.arrays import ExtensiveGame, GameArrays
from equilibria.games.extensive.convert import make_game
from equilibria.sim.errors import EquilibriaError

_log = logging.getLogger(__name__)
FORMAT = 3
_SEPARATOR = "\x00"


def folder() -> Path | None:
    """Return the cache folder (XDG convention), or ``None`` when there is no home folder."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if base and os.path.isabs(base):
        return Path(base) / "equilibria" / "games"
    home = os.environ.get("HOME") or os.environ.get("LOCALAPPDATA")
    return Path(home) / ".cache" / "equilibria" / "games" if home else None


def key(source: str, name: str, recall: str) -> str:
    """Return the file stem of a game: a hash of where it comes from and of all versions involved."""
    try:
        maker = version("open_spiel") if source == "openspiel" else ""
    except PackageNotFoundError:
        maker = "unknown"
    return hashlib.sha256(_SEPARATOR.join((source, name, recall, maker, str(FORMAT))).encode()).hexdigest()[:32]


def read(stem: str, place: Path | None = None) -> ExtensiveGame | None:
    """Return the cached game, or ``None`` when there is none that can be read.

    Args:
        stem: From ``key``.
        place: Cache folder, by default the user's.
    """
    place = place or folder()
    if place is None:
        return None
    path = place / f"{stem}.npz"
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            header = json.loads(data["header"].tobytes())
            words, reals, text = data["words"], data["reals"], data["text"].tobytes()
        return _unpack(header, words, reals, text)
    except FileNotFoundError:
        return None
    except (OSError, KeyError, ValueError, TypeError, IndexError, EOFError, zipfile.BadZipFile, EquilibriaError):
        _log.warning("cached game %s is damaged; it is compiled again", path)
        return None


def write(stem: str, game: ExtensiveGame, place: Path | None = None) -> None:
    """Store a game; a failure is logged and otherwise ignored, for a cache is only a convenience.

    Args:
        stem: From ``key``.
        game: The game.
        place: Cache folder, by default the user's.
    """
    place = place or folder()
    if place is None or any(_SEPARATOR in text for text in game.infostates) or game.arrays.rowptr.dtype != np.uint32:
        return
    try:
        place.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{stem}.", suffix=".tmp", dir=place)
        try:
            with os.fdopen(handle, "wb") as out:
                np.savez(out, allow_pickle=False, **_pack(game))
            os.replace(temporary, place / f"{stem}.npz")
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        _log.info("compiled game was not cached: %s", error)


def _pack(game: ExtensiveGame) -> dict[str, NDArray[Any]]:
    a = game.arrays
    flat_actions = np.array([x for ids in game.actions for x in ids], dtype=np.int64)
    parts: list[NDArray[Any]]
    parts = [a.seq_off, a.iset_off, a.parent, a.first, a.nact, a.rowptr, a.col.ravel(), flat_actions.view(np.uint32)]
    header = {
        "format": FORMAT,
        "name": game.name,
        "players": a.players,
        "sizes": [int(p.size) for p in parts],
        "utility": [game.utility_min, game.utility_max],
        "constant_sum": game.constant_sum,
        "nodes": game.nodes,
        "terminals": game.terminals,
        "content_hash": game.content_hash,
        "action_names": [list(names) for names in game.action_names] if any(game.action_names) else None,
    }
    text = _SEPARATOR.join(game.infostates).encode("utf-8", "surrogatepass")
    return {
        "header": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
        "text": np.frombuffer(text, dtype=np.uint8),
        "words": np.concatenate([p.astype(np.uint32, copy=False) for p in parts]),
        "reals": np.concatenate([a.val, a.cval]),
    }


def _unpack(header: dict[str, Any], words: NDArray[Any], reals: NDArray[Any], text: bytes) -> ExtensiveGame:
    if header["format"] != FORMAT:
        raise ValueError("written by another version")
    for array in (words, reals):
        array.flags.writeable = False
    bounds = np.concatenate(([0], np.cumsum(header["sizes"]))).tolist()
    seq_off, iset_off, parent, first, nact, rowptr, col, flat = (words[lo:hi] for lo, hi in pairwise(bounds))
    n, half = header["players"], reals.size // 2
    arrays = GameArrays(
        players=n,
        seq_off=seq_off,
        iset_off=iset_off,
        parent=parent,
        first=first,
        nact=nact,
        rowptr=rowptr,
        col=col.reshape(n - 1, half),
        val=reals[:half],
        cval=reals[half:],
    )
    ids = np.ascontiguousarray(flat).view(np.int64).tolist()
    ends = np.concatenate(([0], np.cumsum(nact.astype(np.int64)))).tolist()
    count = len(ends) - 1
    names = header["action_names"]
    return make_game(
        name=header["name"],
        arrays=arrays,
        infostates=tuple(text.decode("utf-8", "surrogatepass").split(_SEPARATOR)) if count else (),
        actions=tuple(tuple(ids[lo:hi]) for lo, hi in pairwise(ends)),
        action_names=tuple(tuple(x) for x in names) if names else ((),) * count,
        utility_min=header["utility"][0],
        utility_max=header["utility"][1],
        constant_sum=header["constant_sum"],
        nodes=header["nodes"],
        terminals=header["terminals"],
        content_hash=header["content_hash"],
    )
