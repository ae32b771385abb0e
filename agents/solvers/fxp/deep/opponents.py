"""The opponent of a learning team: a mixture of live and frozen teams, drawn once per episode and world.

Axes: B worlds, N members, P teams to choose from.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import numpy as np

from equilibria.agents.learning.batches import Context
from equilibria.agents.learning.policies import JointPolicy
from equilibria.agents.learning.tensors import context_from, context_state, generator_from, generator_state, renewed
from equilibria.agents.learning.torch_import import torch
from equilibria.sim.contract import State
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import AnyArray, BoolArray, FloatArray, IntArray

Teams = Callable[[], Sequence[JointPolicy]]


class PopulationPlayer:
    """Plays every episode of every world with one team, drawn from a distribution.

    Mixing whole teams keeps the correlation between members that averaging their probabilities destroys.

    Args:
        teams: Returns the teams, in an order that never changes (new ones come last); they share one
            architecture, so worlds keep their recurrent state in common arrays.
        key: Seed of its own random numbers.

    Cost: one forward pass per distinct team among the worlds and step.
    """

    def __init__(self, teams: Teams, key: int) -> None:
        self._teams = teams
        self._generator = torch.Generator().manual_seed(int(key))
        self._weights = torch.ones(1, dtype=torch.float64)
        self._who: IntArray = np.zeros(0, np.int64)
        self._context: Context = {}

    @property
    def present(self) -> IntArray:
        """[B] team of each world in the present episode."""
        return self._who.copy()

    def use(self, weights: FloatArray) -> None:
        """Draw teams of later episodes with these probabilities [P]; episodes in progress keep theirs.

        Raises:
            InvalidValue: If the weights are no distribution over the teams.
        """
        w = np.asarray(weights, np.float64)
        if w.shape != (len(self._teams()),) or not (w >= 0).all() or abs(w.sum() - 1) > 1e-9:
            raise InvalidValue(f"weights must be a distribution over {len(self._teams())} teams, got {w.tolist()}")
        self._weights = torch.from_numpy(w.copy())

    def begin(self, worlds: int) -> None:
        """Draw teams for fresh episodes in all worlds."""
        self._who = self._draw(worlds)
        self._context = self._teams()[0].begin(worlds, self._generator)

    def act(self, obs: torch.Tensor, mask: torch.Tensor | None) -> AnyArray:
        """Return actions [B, N]."""
        teams, chosen = self._teams(), np.unique(self._who)
        with torch.inference_mode():
            if len(chosen) == 1:
                action = teams[chosen[0]].act(obs, mask, self._context, self._generator)
                self._context = action.context
                alone: AnyArray = action.actions.numpy()
                return alone
            actions = np.zeros(obs.shape[:2], np.int64)
            after = {name: value.clone() for name, value in self._context.items()}
            for team in chosen:
                rows = torch.from_numpy(np.flatnonzero(self._who == team))
                context = {name: value[rows] for name, value in self._context.items()}
                part = teams[team].act(obs[rows], None if mask is None else mask[rows], context, self._generator)
                actions[rows.numpy()] = part.actions.numpy()
                for name, value in part.context.items():
                    after[name][rows] = value
            self._context = after
            return actions

    def ended(self, over: BoolArray) -> None:
        """Draw new teams for ended worlds."""
        count = int(over.sum())
        if count and len(self._weights) > 1:
            self._who[over] = self._draw(count)
        self._context = renewed(self._teams()[0], self._context, over, self._generator)

    def copy(self) -> PopulationPlayer:
        """Return an independent player over copies of the present teams."""
        teams = copy.deepcopy(list(self._teams()))
        twin = PopulationPlayer(lambda: teams, 0)
        twin._generator.set_state(self._generator.get_state())
        twin._weights = self._weights.clone()
        return twin

    def save(self) -> State:
        """Return draws, generator and context; teams are saved by their owners."""
        own = State({"who": self._who.copy(), "weights": self._weights.numpy().copy()})
        return own.merged(generator_state(self._generator)).merged(context_state(self._context))

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        self._who = np.array(state.arrays["who"], np.int64)
        self._weights = torch.from_numpy(np.array(state.arrays["weights"], np.float64))
        generator_from(self._generator, state)
        self._context = context_from(state)

    def _draw(self, count: int) -> IntArray:
        drawn = torch.multinomial(self._weights, count, replacement=True, generator=self._generator)
        return np.asarray(drawn.numpy(), np.int64)
