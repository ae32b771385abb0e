"""Matches between teams: returns and results of complete episodes, and round robins with Elo ratings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from equilibria.agents.learning.players import FrozenPlayer, Player
from equilibria.agents.learning.policies import JointPolicy
from equilibria.agents.learning.spaces import spaces_of
from equilibria.agents.learning.tensors import one_thread
from equilibria.agents.learning.torch_import import torch
from equilibria.games.analysis.ratings import Ratings, bradley_terry
from equilibria.games.vector.two_teams import BLUE, RED, TwoTeamWorld
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Match:
    """What red earned against blue.

    Attributes:
        returns: [episodes] undiscounted return of red.
        results: [episodes] +1, 0, -1: red won, drew, lost.
    """

    returns: FloatArray
    results: IntArray

    @property
    def score(self) -> float:
        """Share of wins, draws counting half."""
        return float((self.results + 1).mean() / 2)


def play_match(world: TwoTeamWorld, red: Player, blue: Player, *, episodes: int, key: int) -> Match:
    """Play one episode in each of ``episodes`` worlds.

    Args:
        world: A two-team world.
        red: Player of red.
        blue: Player of blue.
        episodes: Number of episodes, at least 1.
        key: Key of the worlds' random numbers.
    """
    if episodes < 1:
        raise InvalidValue(f"episodes must be at least 1, got {episodes!r}")
    with one_thread():
        state = world.reset(key, episodes)
        seats = [(spaces_of(world, [role]), role, player) for role, player in ((RED, red), (BLUE, blue))]
        for _, _, player in seats:
            player.begin(episodes)
        returns, results = np.zeros(episodes), np.zeros(episodes, np.int64)
        done: BoolArray = np.zeros(episodes, np.bool_)
        while not done.all():
            seen = torch.from_numpy(state.observation)
            actions = {}
            for spaces, role, player in seats:
                mask = world.action_mask(state, role)
                part = seen[:, torch.from_numpy(spaces.columns)]
                actions[role] = player.act(part, None if mask is None else torch.from_numpy(mask))
            world.step(state, actions)
            first = state.ended & ~done
            returns[first] = state.episode_return[first, 0]
            results[first] = world.outcome(state)[first]
            done |= state.ended
            for _, _, player in seats:
                player.ended(state.ended.copy())
    return Match(returns, results)


@dataclass(frozen=True, slots=True)
class RoundRobin:
    """All pairs of some teams.

    Attributes:
        payoffs: [P, P] mean return of row against column, antisymmetric.
        errors: [P, P] standard errors of the payoffs.
        wins: [P, P] wins of row against column, draws counting half for both.
        elo: Ratings by maximum likelihood, mean 1000.
    """

    payoffs: FloatArray
    errors: FloatArray
    wins: FloatArray
    elo: Ratings


def round_robin(world: TwoTeamWorld, teams: Sequence[JointPolicy], *, episodes: int, seeds: SeedTree) -> RoundRobin:
    """Let every team meet every other one.

    Cost: P (P - 1) / 2 matches.
    """
    count = len(teams)
    if count < 2:
        raise InvalidValue(f"a round robin needs at least 2 teams, got {count}")
    payoffs, errors, wins = (np.zeros((count, count)) for _ in range(3))
    for i in range(count):
        for j in range(i):
            enter(
                payoffs, errors, wins, i, j, meet(world, teams[i], teams[j], episodes, seeds.child("pair", i * i + j))
            )
    return RoundRobin(payoffs, errors, wins, bradley_terry(wins, prior=1.0))


def meet(world: TwoTeamWorld, first: JointPolicy, second: JointPolicy, episodes: int, seeds: SeedTree) -> Match:
    """Return the match of two frozen teams; the first one plays red."""
    red, blue = (
        FrozenPlayer(team, seeds.child("team", i).integer(), copied=False) for i, team in enumerate((first, second))
    )
    return play_match(world, red, blue, episodes=episodes, key=int(seeds.child("worlds").key()))


def enter(payoffs: FloatArray, errors: FloatArray, wins: FloatArray, i: int, j: int, match: Match) -> None:
    """Write a match of teams i and j into the three matrices."""
    episodes = len(match.returns)
    payoffs[i, j] = match.returns.mean()
    payoffs[j, i] = -payoffs[i, j]
    errors[i, j] = errors[j, i] = match.returns.std(ddof=1) / np.sqrt(episodes)
    wins[i, j] = match.score * episodes
    wins[j, i] = episodes - wins[i, j]
