"""Policies as JSON lines: one line per infoset, readable by people and other programs.

::

    {"format": "equilibria-policy", "version": 1, "game": "kuhn_poker", "content_hash": "...", "players": 2}
    {"player": 0, "infostate": "0", "actions": [0, 1], "probs": [0.78, 0.22]}

Numbers are written with all digits, so a round trip is exact.  Reading checks every line against the game;
infosets that the file leaves out are uniform unless ``complete=True``.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.policy import BehaviouralPolicy, uniform_policy
from equilibria.games.extensive.values import expected_values
from equilibria.sim.errors import GameFileError, InvalidValue
from equilibria.sim.types import FloatArray

FORMAT, VERSION = "equilibria-policy", 1
_SUM_TOLERANCE = 1e-6


def format_policy(policy: BehaviouralPolicy) -> str:
    """Return a policy as JSON lines, infosets in game order."""
    game, a = policy.game, policy.game.arrays
    head = {
        "format": FORMAT, "version": VERSION, "game": game.name, "content_hash": game.content_hash,
        "players": game.players,
    }  # fmt: skip
    lines = [json.dumps(head, ensure_ascii=False)]
    for (player, text), i in game.index.items():
        start, count = int(a.first[i]), int(a.nact[i])
        row = {
            "player": player, "infostate": text, "actions": list(game.actions[i]),
            "probs": [float(p) for p in policy.probs[start : start + count]],
        }  # fmt: skip
        lines.append(json.dumps(row, ensure_ascii=False))
    return "\n".join(lines) + "\n"


def write_policy(policy: BehaviouralPolicy, path: str | Path) -> None:
    """Write a policy to a JSON lines file, replacing it.

    Raises:
        GameFileError: If the file cannot be written.
    """
    try:
        Path(path).write_text(format_policy(policy), encoding="utf-8")
    except OSError as error:
        raise GameFileError(str(path), f"cannot write the file: {error.strerror}") from error


def read_policy(game: ExtensiveGame, path: str | Path, *, complete: bool = False) -> BehaviouralPolicy:
    """Read a policy of ``game`` from a JSON lines file.

    Args:
        game: The game the policy is for; infosets are matched by (player, infostate), actions by id.
        path: File written by ``write_policy`` or by another program; the head line is optional.
        complete: Refuse files that leave out infosets.

    Raises:
        GameFileError: With file and line, if a line is no JSON object, names an unknown player, infoset or action,
            repeats an infoset, or holds probabilities that are no distribution.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise GameFileError(str(path), f"the file is not UTF-8 text ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise GameFileError(str(path), f"cannot read the file: {error.strerror}") from error
    return parse_policy(game, text, file=str(path), complete=complete)


def parse_policy(game: ExtensiveGame, text: str, *, file: str = "policy", complete: bool = False) -> BehaviouralPolicy:
    """Read a policy from JSON lines; see ``read_policy``."""
    probs = uniform_policy(game).probs.copy()
    seen: set[int] = set()
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = _object(line)
            if "format" in row:
                _check_head(game, row)
                continue
            infoset = _read_row(game, row, probs)
            if infoset in seen:
                raise InvalidValue(f"infoset {game.infostates[infoset]!r} appears twice")
            seen.add(infoset)
        except InvalidValue as error:
            raise GameFileError(file, str(error), line=number, column=1) from error
    if complete and len(seen) < game.arrays.infosets:
        missing = next(text for (_, text), i in game.index.items() if i not in seen)
        raise GameFileError(file, f"infoset {missing!r} and {game.arrays.infosets - len(seen) - 1} more are missing")
    return BehaviouralPolicy(game, probs)


def _object(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidValue(f"expected a JSON object: {error}") from error
    if not isinstance(row, dict):
        raise InvalidValue(f"expected a JSON object, found {type(row).__name__}")
    return row


def _check_head(game: ExtensiveGame, row: dict[str, Any]) -> None:
    if row["format"] != FORMAT or row.get("version") != VERSION:
        raise InvalidValue(
            f"expected format {FORMAT!r} version {VERSION}, found {row['format']!r} version {row.get('version')!r}"
        )
    if row.get("players", game.players) != game.players:
        raise InvalidValue(f"the policy is for {row['players']!r} players, game {game.name!r} has {game.players}")


def _read_row(game: ExtensiveGame, row: dict[str, Any], probs: FloatArray) -> int:
    """Write one line's probabilities into ``probs``; return the infoset."""
    player, text, actions, values = (row.get(key) for key in ("player", "infostate", "actions", "probs"))
    if type(player) is not int or not isinstance(text, str) or (player, text) not in game.index:
        raise InvalidValue(f"game {game.name!r} has no infoset {text!r} of player {player!r}")
    infoset = game.index[player, text]
    known = game.actions[infoset]
    if not isinstance(actions, list) or not isinstance(values, list) or len(actions) != len(values):
        raise InvalidValue(f"infoset {text!r} needs lists 'actions' and 'probs' of equal length")
    if sorted(map(repr, actions)) != sorted(map(repr, known)):
        raise InvalidValue(f"infoset {text!r} has actions {list(known)}, found {actions}")
    if not all(type(v) in (int, float) and math.isfinite(v) and v >= 0.0 for v in values):
        raise InvalidValue(f"probabilities at infoset {text!r} must be non-negative numbers, found {values}")
    total = math.fsum(values)
    if abs(total - 1.0) > _SUM_TOLERANCE:
        raise InvalidValue(f"probabilities at infoset {text!r} sum to {total!r}, expected 1")
    # an exact distribution is taken as it is, so that a round trip changes no bit
    scale = 1.0 if abs(total - 1.0) <= 1e-12 else total
    start = int(game.arrays.first[infoset])
    for action, value in zip(actions, values, strict=True):
        probs[start + known.index(action)] = value / scale
    return infoset


def play_value(game: ExtensiveGame, policies: list[BehaviouralPolicy]) -> FloatArray:
    """Return the payoffs [n] when player p follows ``policies[p]``.

    Args:
        game: The game.
        policies: One profile per player; only the own part of each is used.

    Raises:
        InvalidValue: If the number of policies is not the number of players.
    """
    return expected_values(game, combine(game, policies))


def combine(game: ExtensiveGame, policies: list[BehaviouralPolicy]) -> BehaviouralPolicy:
    """Return the profile in which player p follows ``policies[p]``."""
    if len(policies) != game.players:
        raise InvalidValue(f"game {game.name!r} has {game.players} players, got {len(policies)} policies")
    probs = np.ones(game.arrays.sequences)
    for p, policy in enumerate(policies):
        if policy.game.content_hash != game.content_hash:
            raise InvalidValue(f"policy {p} belongs to game {policy.game.name!r}, not to {game.name!r}")
        own = slice(int(game.arrays.seq_off[p]), int(game.arrays.seq_off[p + 1]))
        probs[own] = policy.probs[own]
    return BehaviouralPolicy(game, probs)


def head_to_head(game: ExtensiveGame, first: BehaviouralPolicy, second: BehaviouralPolicy) -> float:
    """Return the mean payoff of ``first`` against ``second`` in a two-player game, averaged over both seats.

    Raises:
        InvalidValue: If the game does not have two players.
    """
    if game.players != 2:
        raise InvalidValue(f"head_to_head needs two players, game {game.name!r} has {game.players}; use play_value")
    here, there = play_value(game, [first, second]), play_value(game, [second, first])
    return 0.5 * float(here[0] + there[1])
