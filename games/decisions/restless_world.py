"""Coupled restless bandits step by step: B worlds of one agent that uses controls, for learners and interfaces.

Axes: B worlds, J arms, C controls.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from equilibria.games.decisions import restless_world_kernels as kernels
from equilibria.games.decisions.couplings import Coupling, in_order
from equilibria.games.decisions.refusals import broken_constraint
from equilibria.games.decisions.restless import STATES, RestlessGame
from equilibria.games.vector.base import VectorWorld, WorldState
from equilibria.sim.contract import ActionRule, Role
from equilibria.sim.types import AnyArray, BoolArray, IntArray

REMEMBERED = 100_000
"""Sets whose feasibility is remembered."""


class RestlessWorld(VectorWorld):
    """Coupled restless bandits as a vector game.

    Observation [4 J + 1]: the state of every arm, one-hot; steps done over H.  Action [C]: 1 for every control in use
    (the pull of an arm, or an intervention); the set must be feasible.  Reward: sum of the arms' rewards in their next
    states.  An episode has H steps and then terminates.  Details: ``expected_reward`` of the set in the states before
    the step, the quantity that rules and bounds add up.

    World b at step c draws from (key, b, c) alone.  Cost: about 1 us per step of 20 arms once a set is known to be
    feasible; the first time costs what ``coupling.allows`` costs.

    Args:
        game: The instance.
        check_actions: Check actions in every step; without, infeasible sets are played as if they were feasible.
    """

    name = "corestless"

    def __init__(self, game: RestlessGame, *, check_actions: bool = True) -> None:
        self.game, self._rule = game, FeasibleSets(game.coupling)
        self._pay, self._links = game.step_reward(), np.ascontiguousarray(game.links, np.int64)
        role = Role(
            count=1, observation=(STATES * game.arms + 1,), actions=0, action_shape=(game.controls,),
            choices=(2,) * game.controls,
        )  # fmt: skip
        super().__init__(
            {"agent": role}, horizon=game.horizon, end="terminated", bounds=(0.0, 1.0), check_actions=check_actions
        )

    def action_rule(self, role: str) -> ActionRule:
        """Return the rule that a set of controls must be feasible."""
        self._slice(role)
        return self._rule

    def details(self, state: WorldState, role: str) -> Mapping[str, AnyArray]:
        """Return the expected reward of the step, float64 [B, 1]."""
        return {"expected_reward": state.own["expected"]}

    def _allocate(self, batch: int) -> dict[str, AnyArray]:
        return {"arms": np.zeros((batch, self.game.arms), np.int64), "expected": np.zeros((batch, 1))}

    def _begin(self, state: WorldState) -> None:
        kernels.begin_all(state.key, state.clock, state.own["arms"], state.elapsed, state.observation)

    def _advance(self, state: WorldState) -> None:
        g, own = self.game, state.own
        kernels.advance(
            state.key, state.clock, self.horizon, g.up, self._links, g.reward, self._pay, state.actions, own["arms"],
            own["expected"], state.elapsed, state.reward, state.observation, state.final_observation, state.ended,
        )  # fmt: skip


class FeasibleSets:
    """The rule on sets of controls, int64 [C] of 0 and 1.

    Args:
        coupling: Says which sets are feasible.
    """

    def __init__(self, coupling: Coupling) -> None:
        self.coupling = coupling
        self._known: dict[bytes, bool] = {}

    def legal(self, actions: AnyArray) -> BoolArray:
        """Return bool [K] which sets are feasible."""
        chosen = np.asarray(actions, np.bool_)
        return np.array([self._feasible(row) for row in chosen], np.bool_)

    def refusal(self, action: AnyArray) -> str:
        """Name the constraint that the set breaks."""
        chosen = np.asarray(action, np.bool_)
        return "the set is feasible" if self._feasible(chosen) else broken_constraint(self.coupling, chosen)

    def draw(self, rng: np.random.Generator) -> IntArray:
        """Draw how many controls to try, then use them in random order as long as they fit."""
        controls = self.coupling.controls
        tried = rng.permutation(controls)[: int(rng.integers(0, controls + 1))]
        return in_order(self.coupling, tried).astype(np.int64)

    def _feasible(self, chosen: BoolArray) -> bool:
        key = np.packbits(chosen).tobytes()
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            known = self._known[key] = bool(self.coupling.allows(chosen))
        return known
