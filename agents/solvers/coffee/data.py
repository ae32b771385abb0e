"""Offline data sets: episodes of a finite game, written by a behaviour policy.

One row per step: ``episode, step, player`` (-1 for chance), ``state`` (key of the world state), ``infostate``
(empty for chance), ``legal`` (actions), ``action``, ``successor``; one row per episode in ``ends``: ``episode,
weight, reward_0, reward_1, ...``.  ``weight`` counts identical episodes.  Stored as two Parquet files and a JSON header.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from equilibria.games.extensive.bargaining import AlternatingOffers
from equilibria.games.extensive.spiel import load
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray, IntArray

_STEPS = ("episode", "step", "player", "state", "infostate", "legal", "action", "successor")


@dataclass(frozen=True, slots=True)
class OfflineData:
    """A checked data set.

    Attributes:
        name: Where it comes from, for reports.
        steps: Rows as in the module, sorted by episode and step.
        rewards: [E, n] payoffs at the end of each episode.
        weights: [E] multiplicities > 0.
    """

    name: str
    steps: pl.DataFrame
    rewards: FloatArray
    weights: FloatArray

    def __post_init__(self) -> None:
        absent = [c for c in _STEPS if c not in self.steps.columns]
        if absent:
            raise InvalidValue(f"data set {self.name!r} lacks the columns {', '.join(absent)}")
        if self.steps.is_empty() or not len(self.rewards):
            raise InvalidValue(f"data set {self.name!r} is empty: no episodes to learn from")
        if self.rewards.ndim != 2 or self.weights.shape != (len(self.rewards),):
            raise InvalidValue(
                f"data set {self.name!r}: rewards must be [E, n] and weights [E], got {self.rewards.shape}"
            )
        bad = np.flatnonzero(~np.isfinite(self.rewards).all(axis=1))
        if len(bad):
            raise InvalidValue(f"data set {self.name!r}: episode {int(bad[0])} has a reward that is not finite")
        if not (np.isfinite(self.weights).all() and (self.weights > 0).all()):
            raise InvalidValue(f"data set {self.name!r}: weights must be finite and > 0")
        clash = (
            self.steps.group_by("player", "infostate").agg(pl.col("legal").n_unique().alias("kinds"))
            .filter((pl.col("player") >= 0) & (pl.col("kinds") > 1))
        )  # fmt: skip
        if not clash.is_empty():
            first = clash.row(0, named=True)
            raise InvalidValue(
                f"data set {self.name!r}: infoset {first['infostate']!r} of player {first['player']} has different "
                "legal actions in different rows"
            )

    @property
    def players(self) -> int:
        """Number n of players."""
        return int(self.rewards.shape[1])

    def save(self, folder: str | Path) -> None:
        """Write ``steps.parquet``, ``ends.parquet`` and ``header.json`` into ``folder``."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        self.steps.write_parquet(target / "steps.parquet")
        ends = {"episode": np.arange(len(self.rewards)), "weight": self.weights}
        pl.DataFrame(ends | {f"reward_{p}": self.rewards[:, p] for p in range(self.players)}).write_parquet(
            target / "ends.parquet"
        )
        header = {"format": 1, "name": self.name, "players": self.players, "episodes": len(self.rewards)}
        (target / "header.json").write_text(json.dumps(header, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> OfflineData:
        """Read what ``save`` wrote."""
        source = Path(folder)
        try:
            header = json.loads((source / "header.json").read_text(encoding="utf-8"))
            steps, ends = pl.read_parquet(source / "steps.parquet"), pl.read_parquet(source / "ends.parquet")
        except (OSError, ValueError, pl.exceptions.PolarsError) as error:
            raise InvalidValue(f"{source}: not a data set: {error}") from error
        rewards = ends.select([f"reward_{p}" for p in range(int(header["players"]))]).to_numpy()
        return cls(str(header["name"]), steps, rewards.astype(np.float64), ends["weight"].to_numpy())


def generate(
    game: str | AlternatingOffers, *, episodes: int, coverage: float = 1.0, seeds: SeedTree | None = None
) -> OfflineData:
    """Play a uniformly random behaviour policy in an OpenSpiel game and write down what happens.

    Args:
        game: OpenSpiel game string, or a game whose states have OpenSpiel's methods; sequential, finite, with chance
            nodes of known outcomes.
        episodes: Number of episodes, >= 1.
        coverage: Probability that an infoset's actions are all tried; elsewhere only a fixed random half is.
        seeds: Seed tree.
    """
    if episodes < 1:
        raise InvalidValue(f"episodes must be at least 1, got {episodes!r}")
    if not 0 < coverage <= 1:
        raise InvalidValue(f"coverage must lie in (0, 1], got {coverage!r}")
    tree = seeds or SeedTree(0)
    spiel: Any = load(game) if isinstance(game, str) else game
    rng, tried = tree.child("episodes").generator(), _Restriction(coverage, tree)
    rows: dict[str, list[Any]] = {c: [] for c in _STEPS}
    rewards = np.zeros((episodes, spiel.num_players()))
    for e in range(episodes):
        state, step = spiel.new_initial_state(), 0
        while not state.is_terminal():
            key, player = state.history_str(), state.current_player()
            if state.is_chance_node():
                outcomes = state.chance_outcomes()
                action = outcomes[int(rng.choice(len(outcomes), p=[p for _, p in outcomes]))][0]
                player, infostate, legal = -1, "", []
            else:
                infostate, legal = state.information_state_string(player), state.legal_actions()
                allowed = tried.actions(player, infostate, legal)
                action = int(allowed[int(rng.integers(len(allowed)))])
            state.apply_action(action)
            values = (e, step, player, key, infostate, legal, action, state.history_str())
            for column, value in zip(_STEPS, values, strict=True):
                rows[column].append(value)
            step += 1
        rewards[e] = state.returns()
    steps = pl.DataFrame(rows, schema_overrides={"legal": pl.List(pl.Int64)})
    return OfflineData(game if isinstance(game, str) else game.name, steps, rewards, np.ones(episodes))


class _Restriction:
    """Which actions of an infoset the behaviour policy tries; drawn once per infoset."""

    def __init__(self, coverage: float, seeds: SeedTree) -> None:
        self._coverage, self._seeds = coverage, seeds
        self._known: dict[tuple[int, str], IntArray] = {}

    def actions(self, player: int, infostate: str, legal: list[int]) -> IntArray:
        key = (player, infostate)
        if key not in self._known:
            rng = self._seeds.child(f"tried {player} {infostate}").generator()
            every = np.array(legal, dtype=np.int64)
            restricted = rng.random() >= self._coverage
            half = np.sort(rng.choice(every, size=(len(every) + 1) // 2, replace=False))
            self._known[key] = half if restricted else every
        return self._known[key]
