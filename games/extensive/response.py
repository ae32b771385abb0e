"""One player's decision problem against fixed opponents, as a source of sampled episodes.

With perfect recall, what the player can meet after an own sequence s is a terminal or one of the
infosets that s leads to.  Their probabilities are ratios of counterfactual reaches
m(I) = sum over terminals below I of chance x opponents' plans, which is the same for every action at I,
so the opponents' mixed plans (draw one policy before the game) never have to be drawn: playing down
the own tree with these ratios has exactly the distribution of whole episodes.

Episodes in which the player never decides are left out; no strategy changes what they pay.
A terminal pays its utility averaged over chance events that no player's sequence reveals.

Cost: O(n M + I) once per opponents' plan; O(log branches) and about 50 ns per step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equilibria.games.extensive import response_kernels as kernels
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.kernels import reach_forward
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Episodes:
    """T steps of B lanes.

    Attributes:
        infoset: [T, B] own infosets, numbered from 0.
        action: [T, B] action indices at them.
        reward: [T, B] payoff, not 0 at the last step of an episode only.
        ended: [T, B] whether the step ended an episode.
        following: [B] infosets in which the lanes stand after the last step.
    """

    infoset: IntArray
    action: IntArray
    reward: FloatArray
    ended: BoolArray
    following: IntArray


class ResponseProblem:
    """Episodes of one player against fixed opponents.

    Args:
        game: A perfect-recall game.
        player: Who decides.
        x: [S] realisation plans of all players; the player's own part is not read.
        key: Key of the random numbers.
        lanes: Episodes B played side by side.

    Attributes:
        infosets: Number I of own infosets.
        first: int64 [I] own sequence of each infoset's first action; the player's empty sequence is 0.
        actions: int64 [I] number of actions.
        mass: [S_p] probability that chance and opponents let each own sequence happen.

    Raises:
        InvalidValue: If a number is out of range.

    Example:
        >>> from equilibria.games.extensive import openspiel, uniform_policy
        >>> game = openspiel("kuhn_poker")
        >>> problem = ResponseProblem(game, 0, uniform_policy(game).plan(), key=1, lanes=4)
        >>> problem.infosets, problem.play(problem.uniform(), 3).action.shape
        (6, (3, 4))
    """

    def __init__(self, game: ExtensiveGame, player: int, x: FloatArray, *, key: int, lanes: int) -> None:
        a = game.arrays
        if not 0 <= player < a.players:
            raise InvalidValue(f"player must lie in 0..{a.players - 1}, got {player!r}")
        if x.shape != (a.sequences,):
            raise InvalidValue(f"x must have shape ({a.sequences},), got {x.shape}")
        if lanes < 1:
            raise InvalidValue(f"lanes must be at least 1, got {lanes!r}")
        lo, hi = int(a.seq_off[player]), int(a.seq_off[player + 1])
        ilo, ihi = int(a.iset_off[player]), int(a.iset_off[player + 1])
        self.game, self.player, self.infosets = game, player, ihi - ilo
        self.first = a.first[ilo:ihi].astype(np.int64) - lo
        self.actions = a.nact[ilo:ihi].astype(np.int64)
        self.mass = np.empty(hi - lo)
        entries = int(a.rowptr[hi]) - int(a.rowptr[lo])
        entry = np.empty(entries)
        kernels.branch_masses(a.rowptr, a.col, a.cval, np.array(x), a.parent, a.first, lo, ilo, ihi, entry, self.mass)
        self._pointer = np.empty(hi - lo + 1, np.int64)
        self._cumulative = np.empty(entries + self.infosets)
        self._follow = np.empty(entries + self.infosets, np.int64)
        self._payoff = np.empty(entries + self.infosets)
        kernels.branch_table(
            a.rowptr, a.val, a.cval, a.parent, a.first, lo, ilo, ihi, entry, self.mass,
            self._pointer, self._cumulative, self._follow, self._payoff,
        )  # fmt: skip
        self.reach = self.mass[self.first] if self.infosets else np.zeros(0)
        self._roots = np.flatnonzero((a.parent[ilo:ihi] == lo) & (self.reach > 0)).astype(np.int64)
        self._root_cumulative = np.cumsum(self.reach[self._roots])
        self._key, self._clock, self._lanes = np.uint64(key), 0, lanes
        self._infoset = np.zeros(lanes, np.int64)
        if self.decides:
            kernels.begin(self._key, 0, self._roots, self._root_cumulative, self._infoset)

    @property
    def decides(self) -> bool:
        """Whether the player ever decides against these opponents."""
        return len(self._roots) > 0

    def uniform(self) -> FloatArray:
        """Return the uniform strategy [S_p] (1 for the empty sequence)."""
        probability = np.ones(len(self.mass))
        for count in np.unique(self.actions):
            firsts = self.first[self.actions == count]
            probability[firsts[:, None] + np.arange(count)] = 1.0 / count
        return probability

    def play(self, probability: FloatArray, steps: int) -> Episodes:
        """Play ``steps`` steps in every lane under a behavioural strategy [S_p]; goes on where the last call ended.

        Raises:
            InvalidValue: If the player never decides, or the shape or number of steps is wrong.
        """
        if not self.decides:
            raise InvalidValue(f"player {self.player} of {self.game.name!r} never decides against these opponents")
        if probability.shape != self.mass.shape or steps < 1:
            raise InvalidValue(
                f"need a strategy of shape {self.mass.shape} and at least 1 step, got {probability.shape} and {steps!r}"
            )
        size = (steps, self._lanes)
        seen, taken = np.empty(size, np.int64), np.empty(size, np.int64)
        reward, ended = np.empty(size), np.empty(size, np.bool_)
        kernels.play(
            self._key, self._clock, self._pointer, self._cumulative, self._follow, self._payoff, self._roots,
            self._root_cumulative, self.first, self.actions, probability, self._infoset, seen, taken, reward, ended,
        )  # fmt: skip
        self._clock += steps
        return Episodes(seen, taken, reward, ended, self._infoset.copy())

    def plan(self, probability: FloatArray) -> FloatArray:
        """Return the realisation plan [S_p] of a behavioural strategy [S_p]."""
        a = self.game.arrays
        lo, ilo = int(a.seq_off[self.player]), int(a.iset_off[self.player])
        parent = a.parent[ilo : ilo + self.infosets].astype(np.int64) - lo
        plan = np.ones(len(self.mass))
        reach_forward(parent, self.first, self.actions, probability, plan, 0, self.infosets)
        return plan
