"""Coupled restless bandits: arms that fall unless they are pulled, and sets of controls that may be used together.

Arm j has states 0..3.  It moves up with a probability that depends on the controls used on it, else down, within 0..3,
and pays R_j[next state].  Good arms pay R = (0.2, 0.15, 0.1, top) with top in {4, 5, 6}, the others
R = (0.1, 0.15, 0.2, top) with top in {1, 2, 3}: on the way up the good ones look worse, so looking one step ahead goes
wrong.  First states are 1 with probability 0.2, else 0.

With the couplings **capacity**, **schedule** and **path** a control is the pull of an arm: up with probability
p1_j ~ U[0.7, 0.9] if pulled and p0_j ~ U[0, 0.2] if not; the first B arms are good.  With **interventions** a control
reaches several arms and k of them lift an arm with 0.98 (A (sigma(b w k - x0) - sigma(-x0))) + 0.01: good arms need
all interventions of their group together, so adding one at a time goes wrong too.  See ``couplings`` for the sets.

Known answers: exact dynamic programme for up to 6 arms (values of all states and policies), and for any number the
relaxed bound: a linear program over occupation measures in which the coupling holds on average, fractionally, in
each step.  Its dual prices make the Lagrangian index; Whittle's index is the constant charge that makes pulling and
waiting equally good.

Source: Xu, Wilder, Khalil, Tambe (2025), Reinforcement learning with combinatorial actions for coupled restless
bandits, ICLR, arXiv 2503.01919 (constants; graph and groups of interventions are ours).  Bounds: Adelman and Mersereau
(2008), Operations Research 56, 712; Brown and Smith (2020), Management Science 66, 3029; index: Whittle (1988), Journal
of Applied Probability 25A, 287.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from equilibria.games.decisions import restless_bounds as bounds
from equilibria.games.decisions.couplings import Coupling
from equilibria.sim.errors import GameTooLarge, InvalidValue, Unsupported
from equilibria.sim.types import AnyArray, BoolArray, FloatArray, IntArray

STATES = 4
EXACT_ARMS = 6
"""Most arms for exact programmes: 4^6 joint states."""
EXACT_CELLS = 20_000_000
"""Most joint states times sets for exact programmes."""


@dataclass(frozen=True, slots=True, eq=False)
class RestlessGame:
    """An instance.

    Attributes:
        up: float64 [W, J] probability of moving up in each mode of an arm; the mode is the set of its controls in use,
            control d counting 2^d.
        links: int64 [J, D] the controls of each arm, -1 for none; W = 2^D.
        reward: float64 [J, 4] of the next state.
        horizon: H.
        coupling: The sets of controls that may be used together.
        episodes: Episodes that an iteration of a run evaluates.

    Raises:
        InvalidValue: If a shape or number is out of range.
    """

    up: FloatArray
    links: IntArray
    reward: FloatArray
    horizon: int
    coupling: Coupling
    episodes: int = 50
    _memo: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        arms = self.reward.shape[0]
        if self.links.ndim != 2 or self.links.shape[0] != arms or self.links.max() >= self.controls:
            raise InvalidValue(
                f"links must have shape [J, D] with controls below {self.controls}, got {self.links.shape}"
            )
        shape = (2 ** self.links.shape[1], arms)
        if self.up.shape != shape or not ((self.up >= 0.0) & (self.up <= 1.0)).all():
            raise InvalidValue(f"up must be probabilities of shape {shape}, got shape {self.up.shape}")
        if self.reward.shape != (arms, STATES) or not np.isfinite(self.reward).all():
            raise InvalidValue(f"reward must be finite with shape {(arms, STATES)}, got {self.reward.shape}")
        if self.horizon < 1:
            raise InvalidValue(f"horizon must be at least 1, got {self.horizon}")

    @property
    def arms(self) -> int:
        """Number of arms J."""
        return int(self.reward.shape[0])

    @property
    def controls(self) -> int:
        """Number of controls C."""
        return self.coupling.controls

    @property
    def pulls(self) -> bool:
        """True if control j is the pull of arm j."""
        return self.links.shape[1] == 1 and np.array_equal(self.links[:, 0], np.arange(self.arms))

    def feasible(self, chosen: AnyArray) -> bool:
        """Say whether a set bool [C] may be used."""
        return self.coupling.allows(np.asarray(chosen, np.bool_))

    def sets(self) -> IntArray:
        """Return all feasible sets as ascending bit masks.

        Raises:
            GameTooLarge: If there are too many.
        """
        if "sets" not in self._memo:
            self._memo["sets"] = self.coupling.sets()
        return np.asarray(self._memo["sets"], np.int64)

    def members(self) -> BoolArray:
        """Return the feasible sets as bool [F, C]."""
        return (self.sets()[:, None] >> np.arange(self.controls) & 1).astype(np.bool_)

    def modes(self, chosen: AnyArray) -> IntArray:
        """Return the mode [..., J] of every arm under sets bool [..., C]."""
        used = np.asarray(chosen, np.int64)
        padded = np.concatenate([used, np.zeros((*used.shape[:-1], 1), np.int64)], axis=-1)
        return np.asarray(padded[..., self.links] @ (1 << np.arange(self.links.shape[1])), np.int64)

    def step_reward(self) -> FloatArray:
        """Return the expected reward [W, J, 4] of the next step by mode, arm and state."""
        return np.asarray(np.einsum("wjst,jt->wjs", self.moves(), self.reward))

    def moves(self) -> FloatArray:
        """Return the transition probabilities [W, J, 4, 4] by mode."""
        made = np.zeros((self.up.shape[0], self.arms, STATES, STATES))
        for s in range(STATES):
            made[:, :, s, min(s + 1, STATES - 1)] += self.up
            made[:, :, s, max(s - 1, 0)] += 1.0 - self.up
        return made

    def expected(self, state: IntArray, chosen: AnyArray) -> float:
        """Return the expected reward of a set bool [C] in states [J]."""
        arms = np.arange(self.arms)
        return float(self._pay()[self.modes(chosen), arms, state].sum())

    def best_set(self, values: FloatArray) -> BoolArray:
        """Return the feasible set bool [C] with the largest sum over arms of the values [W, J] of their modes.

        Among pulls only those that gain are made.  Sets of shared controls are listed, or found by an integer program.
        """
        if self.pulls:
            chosen, proven = self.coupling.best(np.ascontiguousarray(values[1] - values[0]))
            if not proven:
                self._memo["unproven"] = self.unproven + 1
            return chosen
        listed = self._listed()
        if listed is None:
            return bounds.best_shared(self, values)
        members, modes = listed
        return np.asarray(members[int(values[modes, np.arange(self.arms)].sum(axis=1).argmax())])

    @property
    def unproven(self) -> int:
        """How many choices of ``best_set`` stopped before they were proven optimal."""
        return int(self._memo.get("unproven", 0))

    def first_states(self) -> FloatArray:
        """Return the probability [4^J] of each joint state at the start; arm 0 is the slowest digit."""
        one = np.array([0.8, 0.2, 0.0, 0.0])
        joint = np.ones(1)
        for _ in range(self.arms):
            joint = np.multiply.outer(joint, one).ravel()
        return joint

    def joint_states(self) -> IntArray:
        """Return the states [4^J, J] in the order of ``first_states``."""
        self._small()
        return np.stack(np.unravel_index(np.arange(STATES**self.arms), (STATES,) * self.arms), axis=1).astype(np.int64)

    def action_values(self, later: FloatArray) -> FloatArray:
        """Return expected next value plus reward [4^J, F] of every joint state and feasible set, in the order of ``sets``.

        Args:
            later: float64 [4^J] value of the next joint state.
        """
        self._small()
        modes, moves, pay = self.modes(self.members()), self.moves(), self.step_reward()
        count, arms = modes.shape[0], self.arms
        table = np.broadcast_to(later, (count, later.size))
        for j in range(arms):  # contract the state of arm j with its transitions under each set
            split = table.reshape(count, STATES**j, STATES, -1)
            table = np.einsum("flxr,fsx->flsr", split, moves[modes[:, j], j], optimize=True).reshape(count, -1)
        total = np.array(table.T)
        states = self.joint_states()
        for j in range(arms):
            total += pay[modes[:, j], j][:, states[:, j]].T
        return total

    def solve(self) -> tuple[FloatArray, IntArray]:
        """Return optimal values [H + 1, 4^J] and sets [H, 4^J] by backward induction (at most 6 arms)."""
        allowed = self.sets()
        values = np.zeros((self.horizon + 1, STATES**self.arms))
        chosen = np.zeros((self.horizon, STATES**self.arms), np.int64)
        for t in range(self.horizon - 1, -1, -1):
            q = self.action_values(values[t + 1])
            chosen[t] = allowed[q.argmax(axis=1)]
            values[t] = q.max(axis=1)
        return values, chosen

    def evaluate(self, chosen: IntArray) -> float:
        """Return the exact expected sum of rewards of a policy: sets [H, 4^J] as bit masks.

        Raises:
            InvalidValue: If a set is infeasible.
        """
        allowed = self.sets()
        bad = ~np.isin(chosen, allowed)
        if bad.any():
            t, s = (int(k) for k in np.argwhere(bad)[0])
            raise InvalidValue(f"step {t}, joint state {s}: set {int(chosen[t, s]):b} is not feasible")
        value = np.zeros(STATES**self.arms)
        rows = np.arange(value.size)
        for t in range(self.horizon - 1, -1, -1):
            value = self.action_values(value)[rows, np.searchsorted(allowed, chosen[t])]
        return float(self.first_states() @ value)

    def table(self, decide: Callable[[int, IntArray], AnyArray]) -> IntArray:
        """Return a policy's sets [H, 4^J] from a function of (step, states [J])."""
        states, bits = self.joint_states(), 1 << np.arange(self.controls)
        made = [[int(np.asarray(decide(t, s), np.int64) @ bits) for s in states] for t in range(self.horizon)]
        return np.array(made, np.int64)

    def relaxed(self) -> tuple[float, FloatArray]:
        """Return the relaxed bound on the expected sum of rewards and its price [H, J, D] of the controls on each arm.

        Cost: a sparse linear program; a second for 20 arms that are pulled, a minute for 40 arms on a path.

        Raises:
            NumericalError: If the program cannot be solved.
        """
        return bounds.relaxed_bound(self)

    def charged_values(self, price: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Solve every arm alone with a charge per control.

        Args:
            price: float64 [H, J, D].

        Returns:
            Values [H + 1, J, 4] with the charge, and values of the modes before the charge of the same step
            [H, W, J, 4].
        """
        moves, pay = self.moves(), self.step_reward()
        bits = (np.arange(self.up.shape[0])[:, None] >> np.arange(self.links.shape[1]) & 1).astype(np.float64)
        values = np.zeros((self.horizon + 1, self.arms, STATES))
        worth = np.zeros((self.horizon, self.up.shape[0], self.arms, STATES))
        for t in range(self.horizon - 1, -1, -1):
            worth[t] = pay + np.einsum("wjst,jt->wjs", moves, values[t + 1])
            values[t] = (worth[t] - (bits @ price[t].T)[:, :, None]).max(axis=0)
        return values, worth

    def whittle(self, tolerance: float = 1e-9) -> FloatArray:
        """Return Whittle's index [H, J, 4]: the constant charge at which pulling gains nothing, by bisection.

        The gain of pulling minus the charge falls in the charge for indexable arms, which these are in all
        instances tried; the bisection finds a crossing in any case.

        Raises:
            Unsupported: If controls are shared: an index belongs to an arm that is pulled alone.
        """
        if not self.pulls:
            raise Unsupported("Whittle's index is defined for pulls of single arms; use lagrangian for interventions")
        return bounds.whittle_index(self, tolerance)

    def _pay(self) -> FloatArray:
        if "pay" not in self._memo:
            self._memo["pay"] = self.step_reward()
        return np.asarray(self._memo["pay"])

    def _listed(self) -> tuple[BoolArray, IntArray] | None:
        if "listed" not in self._memo:
            try:
                members = self.members()
                self._memo["listed"] = (members, self.modes(members))
            except GameTooLarge:
                self._memo["listed"] = None
        found: tuple[BoolArray, IntArray] | None = self._memo["listed"]
        return found

    def _small(self) -> None:
        if self.arms > EXACT_ARMS:
            raise GameTooLarge(
                f"exact programmes take at most {EXACT_ARMS} arms (4^J joint states), got {self.arms}; use the relaxed bound"
            )
        if len(self.sets()) * STATES**self.arms > EXACT_CELLS:
            raise GameTooLarge(
                f"exact programmes take at most {EXACT_CELLS} pairs of joint state and set, got {len(self.sets())} sets"
            )
