"""Reader and writer of Gambit's strategic-game text format (``.nfg``, version 1).

Two versions exist.  The payoff version lists the payoffs of all players profile by profile, the first
player's strategy running fastest; the outcome version defines outcomes and lists one outcome number per
profile, 0 meaning payoff 0 for everybody::

    NFG 1 R "title" { "row" "column" } { 2 2 }
    2 2  1 0  0 1  1 1

    NFG 1 R "title" { "row" "column" } { { "T" "B" } { "L" "R" } } ""
    { { "good" 2, 2 } { "bad" 0, 0 } }
    1 2 2 1

Reference: the Gambit project's documentation of the .nfg format.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.gambit_text import TokenReader, distinct, format_number, open_text, quote
from equilibria.games.extensive.matrix import MAX_PROFILES, matrix_game
from equilibria.sim.errors import GameFileError, InvalidValue
from equilibria.sim.types import FloatArray


@dataclass(frozen=True)
class StrategicGame:
    """A game in strategic form.

    Attributes:
        name: Title.
        players: Player names.
        strategies: Strategy names of each player.
        payoffs: float64 [n, A_0, ..., A_{n-1}].
    """

    name: str
    players: tuple[str, ...]
    strategies: tuple[tuple[str, ...], ...]
    payoffs: FloatArray

    def __post_init__(self) -> None:
        sizes = tuple(map(len, self.strategies))
        if len(self.players) != len(sizes) or self.payoffs.shape != (len(sizes), *sizes):
            raise InvalidValue(
                f"game {self.name!r} has {len(self.players)} players with {sizes} strategies, "
                f"but payoffs of shape {self.payoffs.shape}"
            )

    def game(self) -> ExtensiveGame:
        """Convert to the arrays of the tabular solvers: one infoset per player."""
        return matrix_game(self.payoffs, name=self.name, actions=self.strategies)


def read_nfg(path: str | Path) -> StrategicGame:
    """Read an ``.nfg`` file.

    Raises:
        GameFileError: With file, line and column of the first mistake.
    """
    return parse_nfg(open_text(path))


def load_nfg(path: str | Path) -> ExtensiveGame:
    """Read an ``.nfg`` file as a game for the tabular solvers.

    Raises:
        GameFileError: With file, line and column of the first mistake.
    """
    return read_nfg(path).game()


def parse_nfg(reader: TokenReader) -> StrategicGame:
    """Read the tokens of an ``.nfg`` text."""
    reader.word("NFG")
    reader.word("1")
    reader.word("R", "D")
    title = reader.label("the title")
    players = reader.labels("a player name")
    if not players:
        raise reader.error("a game needs at least one player")
    strategies = _strategies(reader, len(players))
    if reader.at_label():
        reader.label("the comment")
    profiles = prod(map(len, strategies))
    if profiles > MAX_PROFILES:
        raise reader.error(f"the game has {profiles} profiles, at most {MAX_PROFILES} are read")
    rows = _by_outcome(reader, len(players), profiles) if reader.at("{") else _by_payoff(reader, len(players), profiles)
    extra = reader.peek()
    if extra is not None:
        raise reader.error(f"the table is complete, but {extra.text!r} follows", extra)
    sizes = tuple(map(len, strategies))
    # the first player's strategy runs fastest in the file: Fortran order over the strategies
    table = np.stack([rows[:, p].reshape(sizes, order="F") for p in range(len(players))])
    return StrategicGame(title, tuple(distinct(players)), tuple(tuple(distinct(s)) for s in strategies), table)


def _strategies(reader: TokenReader, players: int) -> list[list[str]]:
    reader.word("{")
    start = reader.last
    found: list[list[str]] = []
    while not reader.at("}"):
        if reader.at("{"):
            found.append(reader.labels("a strategy name"))
        else:
            found.append([""] * reader.integer("a number of strategies", low=1, high=MAX_PROFILES))
        if not found[-1]:
            raise reader.error(f"player {len(found)} needs at least one strategy")
    reader.word("}")
    if len(found) != players:
        raise reader.error(f"found strategies of {len(found)} players, expected {players}", start)
    return found


def _by_payoff(reader: TokenReader, players: int, profiles: int) -> FloatArray:
    rows = np.empty((profiles, players))
    for k in range(profiles):
        for p in range(players):
            rows[k, p] = float(reader.number(f"payoff of player {p + 1} at profile {k + 1} of {profiles}"))
    return rows


def _by_outcome(reader: TokenReader, players: int, profiles: int) -> FloatArray:
    outcomes = [[0.0] * players]
    reader.word("{")
    while not reader.at("}"):
        reader.word("{")
        start = reader.last
        reader.label("the outcome name")
        values = []
        while not reader.at("}"):
            values.append(float(reader.number("a payoff")))
        reader.word("}")
        if len(values) != players:
            raise reader.error(f"outcome {len(outcomes)} has {len(values)} payoffs, expected {players}", start)
        outcomes.append(values)
    reader.word("}")
    last = len(outcomes) - 1
    chosen = [reader.integer(f"outcome of profile {k + 1} of {profiles}", high=last) for k in range(profiles)]
    return np.array(outcomes)[chosen]


def format_nfg(game: StrategicGame, comment: str = "") -> str:
    """Return a game in the payoff version of the ``.nfg`` format."""
    players = " ".join(map(quote, game.players))
    strategies = "\n".join("{ " + " ".join(map(quote, names)) + " }" for names in game.strategies)
    rows = np.stack([table.ravel(order="F") for table in game.payoffs], axis=1)
    body = "\n".join(" ".join(map(format_number, row)) for row in rows.tolist())
    return f"NFG 1 R {quote(game.name)} {{ {players} }}\n{{\n{strategies}\n}}\n{quote(comment)}\n\n{body}\n"


def write_nfg(game: StrategicGame, path: str | Path, comment: str = "") -> None:
    """Write a game to an ``.nfg`` file, replacing it."""
    try:
        Path(path).write_text(format_nfg(game, comment), encoding="utf-8")
    except OSError as error:
        raise GameFileError(str(path), f"cannot write the file: {error.strerror}") from error
