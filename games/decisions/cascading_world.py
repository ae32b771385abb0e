"""Cascading lists step by step: B worlds of one agent that shows a list, for learners and environment interfaces.

Axes: B worlds, S states, N items, m longest list.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from equilibria.games.decisions import cascading_kernels as kernels
from equilibria.games.decisions.cascading import CascadingGame
from equilibria.games.vector.base import VectorWorld, WorldState
from equilibria.sim.contract import ActionRule, Role
from equilibria.sim.types import AnyArray, BoolArray, IntArray


class CascadingWorld(VectorWorld):
    """A cascading decision process as a vector game.

    Observation [S + 1]: the state, one-hot; steps done over H.  Action [m]: items 0..N-1 in the order in which they are
    shown, N where the list has ended; an item may stand in it once.  Reward in [0, 1]: that of the clicked item.  An
    episode has H lists and then terminates.  Details: ``clicked`` item (N for none), items ``examined``.

    World b of episode e draws from (key, b, e) alone: world 0 meets the users that ``cascading_vi`` with the same key
    meets.  Cost: about 0.2 us per list.

    Args:
        game: The process.
        check_actions: Check actions in every step.
    """

    name = "cascading"

    def __init__(self, game: CascadingGame, *, check_actions: bool = True) -> None:
        self.game, self._rule = game, DistinctItems(game.items, game.longest)
        role = Role(
            count=1, observation=(game.states + 1,), actions=0, action_shape=(game.longest,),
            choices=(game.items + 1,) * game.longest,
        )  # fmt: skip
        super().__init__(
            {"agent": role}, horizon=game.horizon, end="terminated", bounds=(0.0, 1.0), check_actions=check_actions
        )

    def action_rule(self, role: str) -> ActionRule:
        """Return the rule that a list holds distinct items and ends once."""
        self._slice(role)
        return self._rule

    def details(self, state: WorldState, role: str) -> Mapping[str, AnyArray]:
        """Return the clicked item and how many were examined, int64 [B, 1]."""
        return {name: state.own[name] for name in ("clicked", "examined")}

    def _allocate(self, batch: int) -> dict[str, AnyArray]:
        own: dict[str, AnyArray] = {name: np.zeros(batch, np.int64) for name in ("episode", "place")}
        return own | {name: np.zeros((batch, 1), np.int64) for name in ("clicked", "examined")}

    def _begin(self, state: WorldState) -> None:
        own = state.own
        kernels.begin_all(state.key, own["episode"], own["place"], state.elapsed, state.observation)

    def _advance(self, state: WorldState) -> None:
        g, own = self.game, state.own
        kernels.advance(
            state.key, self.horizon, g.attraction, g.reward, g.transition, state.actions, own["episode"], own["place"],
            own["clicked"], own["examined"], state.elapsed, state.reward, state.observation, state.final_observation,
            state.ended,
        )  # fmt: skip


class DistinctItems:
    """The rule on lists of at most m of N items, int64 [m] with N after the end.

    Args:
        items: N.
        longest: m.
    """

    def __init__(self, items: int, longest: int) -> None:
        self.items, self.longest = items, longest

    def legal(self, actions: AnyArray) -> BoolArray:
        """Return bool [K] which lists hold distinct items and nothing after their end."""
        shown = np.asarray(actions, np.int64)
        over = shown == self.items
        good = ~(over[:, :-1] & ~over[:, 1:]).any(axis=1)
        for k in range(1, self.longest):
            good &= ~((shown[:, k:] == shown[:, :-k]) & ~over[:, k:]).any(axis=1)
        return np.asarray(good, np.bool_)

    def refusal(self, action: AnyArray) -> str:
        """Name the first place that breaks the rule."""
        shown = [int(a) for a in action]
        for k, item in enumerate(shown):
            if k and item != self.items and shown[k - 1] == self.items:
                return f"place {k} shows item {item} after the end of the list; all places after the end must be {self.items}"
            if item != self.items and item in shown[:k]:
                return f"place {k} shows item {item} again (first at place {shown.index(item)}); items must be distinct"
        return "the list is legal"

    def draw(self, rng: np.random.Generator) -> IntArray:
        """Draw a length from 0..min(m, N), then items without repetition."""
        length = int(rng.integers(0, min(self.longest, self.items) + 1))
        drawn: IntArray = np.full(self.longest, self.items, np.int64)
        drawn[:length] = rng.permutation(self.items)[:length]
        return drawn
