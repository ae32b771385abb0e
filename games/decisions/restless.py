"""Coupled restless bandits: arms that fall unless they are pulled, and sets of arms that may be pulled together.

Arm j has states 0..3.  It moves up with probability p1_j ~ U[0.7, 0.9] if pulled and p0_j ~ U[0, 0.2] if not,
else down, within 0..3, and pays R_j[next state].  The first B arms are good, R = (0.2, 0.15, 0.1, top) with
top in {4, 5, 6}; the others R = (0.1, 0.15, 0.2, top) with top in {1, 2, 3}: on the way up the good ones look
worse, so looking one step ahead goes wrong.  First states are 1 with probability 0.2, else 0.

* **capacity**: arm costs 2..6, worker capacities 2..7; pulled arms are packed into workers.
* **schedule**: 5 time slots, an arm is open in 2, a worker works in 3; each pulled arm needs a worker of its own
  with a common slot.

Known answers: exact dynamic programme for up to 6 arms (values of all states and policies), and for any number the
relaxed bound: a linear program over occupation measures in which the coupling holds on average, fractionally, in
each step.  Its dual prices make the Lagrangian index; Whittle's index is the constant charge that makes pulling and
waiting equally good.

Source: Xu, Wilder, Khalil, Tambe (2025), Reinforcement learning with combinatorial actions for coupled restless
bandits, ICLR, arXiv 2503.01919 (constants).  Bounds: Adelman and Mersereau (2008), Operations Research 56, 712;
Brown and Smith (2020), Management Science 66, 3029; index: Whittle (1988), Journal of Applied Probability 25A, 287.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array, vstack

from equilibria.games.decisions import restless_kernels as kernels
from equilibria.games.decisions.settings import RestlessSettings
from equilibria.sim.errors import GameTooLarge, InvalidValue, NumericalError
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, BoolArray, FloatArray, IntArray

STATES = 4
SLOTS = 5
EXACT_ARMS = 6
"""Most arms for exact programmes: 4^6 joint states."""
LISTED_ARMS = 16
"""Most arms whose feasible sets are listed."""
NODES = 2_000_000
"""Nodes after which the packing search keeps the best set found; counted in ``unproven``."""


@dataclass(frozen=True, slots=True, eq=False)
class RestlessGame:
    """An instance.

    Attributes:
        up: float64 [2, J] probability of moving up when idle, pulled.
        reward: float64 [J, 4] of the next state.
        horizon: H.
        cost: int64 [J]; used by capacity.
        capacity: int64 [n]; empty for schedule.
        fits: bool [J, n] common time slots; used by schedule.
        episodes: Episodes that an iteration of a run evaluates.

    Raises:
        InvalidValue: If a shape or number is out of range.
    """

    up: FloatArray
    reward: FloatArray
    horizon: int
    cost: IntArray
    capacity: IntArray
    fits: BoolArray
    episodes: int = 50
    _memo: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        arms = self.up.shape[1]
        if self.up.shape != (2, arms) or not ((self.up >= 0.0) & (self.up <= 1.0)).all():
            raise InvalidValue("up must be probabilities of shape [2, J]")
        if self.reward.shape != (arms, STATES) or not np.isfinite(self.reward).all():
            raise InvalidValue(f"reward must be finite with shape {(arms, STATES)}, got {self.reward.shape}")
        if self.cost.shape != (arms,) or self.cost.min() < 1 or (self.capacity.size and self.capacity.min() < 0):
            raise InvalidValue("costs must be at least 1 with shape [J], capacities at least 0")
        if self.fits.shape[0] != arms or self.horizon < 1:
            raise InvalidValue(f"fits must have shape [J, n] and horizon be at least 1, got {self.fits.shape}")

    @property
    def arms(self) -> int:
        """Number of arms J."""
        return int(self.up.shape[1])

    @property
    def by_capacity(self) -> bool:
        """True if capacities couple the arms, False if schedules do."""
        return self.capacity.size > 0

    def feasible(self, pulled: AnyArray) -> bool:
        """Say whether a set bool [J] may be pulled."""
        if self.arms > 62:
            return self._feasible_large(np.asarray(pulled, np.bool_))
        mask = int(sum(1 << j for j in np.flatnonzero(pulled)))
        return bool(
            kernels.packs(mask, self.cost, self.capacity) if self.by_capacity else kernels.matches(mask, self.fits)
        )

    def sets(self) -> IntArray:
        """Return all feasible sets as ascending bit masks.

        Raises:
            GameTooLarge: Beyond 16 arms.
        """
        if self.arms > LISTED_ARMS:
            raise GameTooLarge(f"feasible sets are listed for at most {LISTED_ARMS} arms, got {self.arms}")
        if "sets" not in self._memo:
            self._memo["sets"] = kernels.sets(self.cost, self.capacity, self.fits, self.by_capacity)
        return np.asarray(self._memo["sets"], np.int64)

    def members(self) -> BoolArray:
        """Return the feasible sets as bool [F, J]."""
        return (self.sets()[:, None] >> np.arange(self.arms) & 1).astype(np.bool_)

    def step_reward(self) -> FloatArray:
        """Return the expected reward [2, J, 4] of the next step when idle, pulled, by state."""
        return np.asarray(np.einsum("ajst,jt->ajs", self.moves(), self.reward))

    def moves(self) -> FloatArray:
        """Return the transition probabilities [2, J, 4, 4] when idle, pulled."""
        made = np.zeros((2, self.arms, STATES, STATES))
        for s in range(STATES):
            made[:, :, s, min(s + 1, STATES - 1)] += self.up
            made[:, :, s, max(s - 1, 0)] += 1.0 - self.up
        return made

    def best_set(self, score: FloatArray) -> BoolArray:
        """Return the feasible set bool [J] with the largest sum of scores, pulling only arms of positive score."""
        if not self.by_capacity:
            return np.asarray(kernels.best_matched(score, self.fits), np.bool_)
        return self._packed(score)

    @property
    def unproven(self) -> int:
        """How many choices of ``best_set`` stopped before they were proven optimal (seen with 100 arms)."""
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
        """Return expected next value plus reward [4^J, 2^J] of every state and set (bit j is arm j), feasible or not.

        Args:
            later: float64 [4^J] value of the next joint state.
        """
        self._small()
        moves, pay = self.moves(), self.step_reward()
        arms = self.arms
        table = later.reshape((STATES,) * arms)
        for j in range(arms):  # contract arm j; its new axes (state, action) go to the end
            table = np.einsum("x...,asx->...sa", table, moves[:, j])
        # axes are now (s_0, a_0, s_1, a_1, ...); bits count arm 0 as the lowest
        table = table.transpose([*range(0, 2 * arms, 2), *range(2 * arms - 1, 0, -2)])
        total = np.ascontiguousarray(table).reshape(STATES**arms, 2**arms)
        states, masks = self.joint_states(), np.arange(2**arms)
        for j in range(arms):
            total += pay[:, j][(masks >> j & 1)[None, :], states[:, j][:, None]]
        return total

    def solve(self) -> tuple[FloatArray, IntArray]:
        """Return optimal values [H + 1, 4^J] and sets [H, 4^J] by backward induction (at most 6 arms)."""
        allowed = self.sets()
        values = np.zeros((self.horizon + 1, STATES**self.arms))
        chosen = np.zeros((self.horizon, STATES**self.arms), np.int64)
        for t in range(self.horizon - 1, -1, -1):
            q = self.action_values(values[t + 1])[:, allowed]
            chosen[t] = allowed[q.argmax(axis=1)]
            values[t] = q.max(axis=1)
        return values, chosen

    def evaluate(self, chosen: IntArray) -> float:
        """Return the exact expected sum of rewards of a policy: sets [H, 4^J] as bit masks.

        Raises:
            InvalidValue: If a set is infeasible.
        """
        bad = ~np.isin(chosen, self.sets())
        if bad.any():
            t, s = (int(k) for k in np.argwhere(bad)[0])
            raise InvalidValue(f"step {t}, joint state {s}: set {int(chosen[t, s]):b} is not feasible")
        value = np.zeros(STATES**self.arms)
        rows = np.arange(value.size)
        for t in range(self.horizon - 1, -1, -1):
            value = self.action_values(value)[rows, chosen[t]]
        return float(self.first_states() @ value)

    def table(self, decide: Callable[[int, IntArray], AnyArray]) -> IntArray:
        """Return a policy's sets [H, 4^J] from a function of (step, states [J])."""
        states, bits = self.joint_states(), 1 << np.arange(self.arms)
        made = [[int(np.asarray(decide(t, s), np.int64) @ bits) for s in states] for t in range(self.horizon)]
        return np.array(made, np.int64)

    def relaxed(self) -> tuple[float, FloatArray]:
        """Return the relaxed bound on the expected sum of rewards and its price [H, J] of pulling each arm.

        Cost: a sparse linear program with about (8 + n) J H variables; a second for J = 20.

        Raises:
            NumericalError: If the program cannot be solved.
        """
        return relaxed_bound(self)

    def charged_values(self, price: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Solve every arm alone with a charge per pull.

        Args:
            price: float64 [H, J].

        Returns:
            Values [H + 1, J, 4] with the charge, and gains of pulling before the charge of the same step [H, J, 4].
        """
        moves, pay = self.moves(), self.step_reward()
        values = np.zeros((self.horizon + 1, self.arms, STATES))
        gains = np.zeros((self.horizon, self.arms, STATES))
        for t in range(self.horizon - 1, -1, -1):
            q = pay + np.einsum("ajst,jt->ajs", moves, values[t + 1])
            gains[t] = q[1] - q[0]
            values[t] = np.maximum(q[0], q[1] - price[t][:, None])
        return values, gains

    def whittle(self, tolerance: float = 1e-9) -> FloatArray:
        """Return Whittle's index [H, J, 4]: the constant charge at which pulling gains nothing, by bisection.

        The gain of pulling minus the charge falls in the charge for indexable arms, which these are in all
        instances tried; the bisection finds a crossing in any case.
        """
        top = float(np.abs(self.reward).max()) * self.horizon + 1.0
        low = np.full((self.horizon, self.arms, STATES), -top)
        high = np.full_like(low, top)
        while float((high - low).max()) > tolerance:
            middle = 0.5 * (low + high)
            for t in range(self.horizon):
                for s in range(STATES):
                    gain = self._gain_at(middle[t, :, s], t)[:, s]
                    worth = gain > middle[t, :, s]
                    low[t, :, s] = np.where(worth, middle[t, :, s], low[t, :, s])
                    high[t, :, s] = np.where(worth, high[t, :, s], middle[t, :, s])
        return 0.5 * (low + high)

    def _gain_at(self, charge: FloatArray, t: int) -> FloatArray:
        """Return the gain [J, 4] of pulling at step t when every later pull costs ``charge`` [J]."""
        moves, pay = self.moves(), self.step_reward()
        value = np.zeros((self.arms, STATES))
        for _ in range(self.horizon - 1 - t):
            q = pay + np.einsum("ajst,jt->ajs", moves, value)
            value = np.maximum(q[0], q[1] - charge[:, None])
        q = pay + np.einsum("ajst,jt->ajs", moves, value)
        return np.asarray(q[1] - q[0])

    def _small(self) -> None:
        if self.arms > EXACT_ARMS:
            raise GameTooLarge(
                f"exact programmes take at most {EXACT_ARMS} arms (4^J joint states), got {self.arms}; use the relaxed bound"
            )

    def _feasible_large(self, pulled: BoolArray) -> bool:
        score = np.where(pulled, 1.0, 0.0)
        return bool(self.best_set(score).sum() == pulled.sum())

    def _packed(self, score: FloatArray) -> BoolArray:
        pulled, proven = kernels.best_packed(np.ascontiguousarray(score), self.cost, self.capacity, NODES)
        if not proven:
            self._memo["unproven"] = self.unproven + 1
        return np.asarray(pulled, np.bool_)


def relaxed_bound(game: RestlessGame) -> tuple[float, FloatArray]:
    """Solve the occupation program; see ``RestlessGame.relaxed``."""
    horizon, arms, n = game.horizon, game.arms, game.fits.shape[1]
    moves, pay = game.moves(), game.step_reward()
    occupied = horizon * arms * STATES * 2

    def mu(t: IntArray, j: IntArray, s: IntArray, a: IntArray) -> IntArray:
        return np.asarray(((t * arms + j) * STATES + s) * 2 + a, np.int64)

    t, j, s, a = (x.ravel() for x in np.indices((horizon, arms, STATES, 2)))
    gain = pay[a, j, s]
    rows, cols, data = [(t * arms + j) * STATES + s], [mu(t, j, s, a)], [np.ones(occupied)]
    t, j, s, a, z = (x.ravel() for x in np.indices((horizon - 1, arms, STATES, 2, STATES)))
    rows.append(((t + 1) * arms + j) * STATES + z)
    cols.append(mu(t, j, s, a))
    data.append(-moves[a, j, s, z])
    start = np.zeros((horizon, arms, STATES))
    start[0] = [0.8, 0.2, 0.0, 0.0]
    if game.by_capacity:
        usable = game.cost[:, None] <= game.capacity[None, :]
        weight, room = game.cost.astype(np.float64), game.capacity.astype(np.float64)
    else:
        usable, weight, room = game.fits, np.ones(arms), np.ones(n)
    pair_j, pair_i = np.nonzero(usable)
    pairs = pair_j.size
    size = occupied + horizon * pairs
    flow = coo_array(
        (np.concatenate(data), (np.concatenate(rows), np.concatenate(cols))), shape=(horizon * arms * STATES, size)
    )
    t, j, s = (x.ravel() for x in np.indices((horizon, arms, STATES)))
    step, pair = (x.ravel() for x in np.indices((horizon, pairs)))
    place = occupied + step * pairs + pair
    need = coo_array(
        (
            np.concatenate([np.ones(t.size), -np.ones(place.size)]),
            (
                np.concatenate([t * arms + j, step * arms + pair_j[pair]]),
                np.concatenate([mu(t, j, s, np.ones_like(s)), place]),
            ),
        ),
        shape=(horizon * arms, size),
    )
    load = coo_array((weight[pair_j[pair]], (step * n + pair_i[pair], place)), shape=(horizon * n, size))
    found = linprog(
        -np.concatenate([gain, np.zeros(horizon * pairs)]), A_eq=flow.tocsr(), b_eq=start.ravel(),
        A_ub=vstack([need, load]).tocsr(), b_ub=np.concatenate([np.zeros(horizon * arms), np.tile(room, horizon)]),
        bounds=(0.0, None), method="highs",
    )  # fmt: skip
    if found.x is None:
        raise NumericalError("relaxed bound", float("nan"), where=str(found.message))
    price = -np.asarray(found.ineqlin.marginals[: horizon * arms], np.float64).reshape(horizon, arms)
    return -float(found.fun), np.maximum(price, 0.0)


def build(settings: RestlessSettings, *, seeds: SeedTree) -> RestlessGame:
    """Draw an instance."""
    s, rng = settings, seeds.generator()
    up = np.stack([rng.uniform(0.0, 0.2, s.arms), rng.uniform(0.7, 0.9, s.arms)])
    good = np.arange(s.arms) < s.workers
    reward = np.where(good[:, None], [0.2, 0.15, 0.1, 0.0], [0.1, 0.15, 0.2, 0.0])
    reward[:, 3] = np.where(good, rng.integers(4, 7, s.arms), rng.integers(1, 4, s.arms))
    cost, capacity = rng.integers(2, 7, s.arms), rng.integers(2, 8, s.workers)
    if s.coupling == "capacity":
        fits = np.ones((s.arms, s.workers), np.bool_)
        return RestlessGame(up, reward, s.horizon, cost, capacity, fits, s.episodes)
    arm_share, worker_share = np.sort(rng.random(SLOTS)), np.sort(rng.random(SLOTS))[::-1]
    slots = np.zeros((s.arms + s.workers, SLOTS), np.bool_)
    for k in range(s.arms + s.workers):
        count, share = (2, arm_share) if k < s.arms else (3, worker_share)
        slots[k, rng.choice(SLOTS, count, replace=False, p=share / share.sum())] = True
    fits = slots[: s.arms].astype(np.int64) @ slots[s.arms :].T.astype(np.int64) > 0
    return RestlessGame(up, reward, s.horizon, np.ones(s.arms, np.int64), np.zeros(0, np.int64), fits, s.episodes)
