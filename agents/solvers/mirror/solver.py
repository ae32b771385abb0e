"""Magnetic mirror descent (MMD) as a solver for quantal response and Nash equilibria.

Behavioural form, at every infoset I of every player, all values from the old profile:

    q(I,a) = counterfactual value of a / probability mass of the others at I
    policy'(I,.) = magnetic mirror descent step with q(I,.)          (see ``simplex``)

Fixed temperature alpha: the last iterate converges linearly to the agent quantal response equilibrium,
policy proportional to magnet * exp(q / alpha) at every infoset.  Temperature annealed like 1/sqrt(i), or
magnet moved slowly to the policy: the last iterate approaches a Nash equilibrium of two-player zero-sum
games.  Sequence form replaces the entropy at infosets by the dilated entropy of realisation plans and
solves for the quantal response equilibrium of the reduced normal form.

The output is always the current policy; nothing is averaged.

Reference: Sokota et al. (2023), A unified approach to reinforcement learning, quantal response equilibria,
and two-player zero-sum games, ICLR; sections 3, 4 and appendix.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from equilibria.agents.solvers.mirror import kernels
from equilibria.agents.solvers.mirror.settings import Form, MMDSettings, Objective, Schedule
from equilibria.agents.solvers.mirror.simplex import check_rates
from equilibria.agents.solvers.policy_tables import PolicyTables
from equilibria.games.extensive import action_kernels
from equilibria.games.extensive.action_values import ActionValues, action_values, fixed_point_residual
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.policy import BehaviouralPolicy, uniform_policy
from equilibria.games.extensive.values import exploitability
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import InvalidValue, NotConverged, NumericalError, Unsupported, unknown_name
from equilibria.sim.types import FloatArray

_FORMS = ("behavioural", "sequence")
_SCHEDULES = {"constant": kernels.CONSTANT, "annealing": kernels.ANNEALING}
_OBJECTIVES = {
    "standard": action_kernels.STANDARD,
    "maxent": action_kernels.MAXENT,
    "minimaxent": action_kernels.MINIMAXENT,
}


class MMD(PolicyTables):
    """Magnetic mirror descent on a finite extensive-form game.

    Args:
        game: Game with perfect recall; two-player constant-sum for ``form="sequence"``.
        form: ``"behavioural"`` or ``"sequence"``.
        schedule: ``"constant"`` (quantal response) or ``"annealing"`` (alpha and eta over sqrt(i)).
        alpha: Temperature, >= 0; its value at iteration 1 when annealing.
        eta: Step size, > 0; default alpha/10 (constant) or 1 (annealing), and alpha / max|A|^2 in sequence form.
        magnet_rate: eta~ in [0, 1]: the magnet becomes magnet^(1-eta~) * policy^eta~ after each iteration.
        floor: Least action probability relative to the largest one, in [0, 0.1); 0 for exact quantal response work.
        objective: ``"standard"``, ``"maxent"`` or ``"minimaxent"`` action values.
        magnet: Behavioural policy without zeros, uniform if ``None``; behavioural form only.
        start: First policy without zeros, uniform if ``None``.

    Raises:
        InvalidValue: If a rate is outside its range, or a magnet or start has zeros.
        Unsupported: If the form or objective does not apply to the game.

    Example:
        >>> from equilibria.games.extensive import openspiel, exploitability
        >>> game = openspiel("kuhn_poker")
        >>> solver = MMD(game)
        >>> solver.step(1000)
        >>> round(exploitability(game, solver.policy()), 5)
        0.00506
    """

    def __init__(
        self,
        game: ExtensiveGame,
        *,
        form: Form = "behavioural",
        schedule: Schedule = "annealing",
        alpha: float = 1.0,
        eta: float | None = None,
        magnet_rate: float = 0.0,
        floor: float = 1e-10,
        objective: Objective = "standard",
        magnet: BehaviouralPolicy | None = None,
        start: BehaviouralPolicy | None = None,
    ) -> None:
        self.game, self.form, self.schedule, self.objective = game, form, schedule, objective
        self.alpha, self.magnet_rate, self.floor = float(alpha), float(magnet_rate), float(floor)
        _check_names(form, schedule, objective)
        _check_support(game, form, objective, magnet_rate=magnet_rate, magnet=magnet)
        self._eta_per_alpha = _largest_stable_ratio(game) if form == "sequence" else 0.0
        self.eta = self._default_eta() if eta is None else float(eta)
        check_rates(eta=self.eta, alpha=self.alpha, magnet_rate=self.magnet_rate, floor=self.floor)
        self._iteration = 0
        self._logpol = _log_policy(game, start, "start")
        self._logmag = _log_policy(game, magnet, "magnet")
        self._allocate()

    @classmethod
    def from_settings(cls, game: ExtensiveGame, settings: MMDSettings) -> MMD:
        """Build a solver from validated scenario parameters."""
        return cls(game, **dict(settings))

    def _default_eta(self) -> float:
        if self.form == "sequence":
            return self.alpha * self._eta_per_alpha
        return self.alpha / 10.0 if self.schedule == "constant" else 1.0

    def _allocate(self) -> None:
        size = self.game.arrays.sequences
        self._pol = np.exp(self._logpol)
        self._x, self._g, self._c = np.ones(size), np.zeros(size), np.zeros(size)
        a = self.game.arrays
        self._children = np.bincount(a.parent, minlength=size).astype(np.float64)
        action_kernels.reaches(a.seq_off, a.players, a.parent, a.first, a.nact, self._pol, self._x)

    @property
    def iteration(self) -> int:
        """Number of iterations done."""
        return self._iteration

    def rates(self, iteration: int) -> tuple[float, float]:
        """Return (alpha, eta) of a 1-based iteration."""
        if iteration < 1:
            raise InvalidValue(f"iterations are counted from 1, got {iteration!r}")
        scale = 1.0 / math.sqrt(iteration) if self.schedule == "annealing" else 1.0
        return self.alpha * scale, self.eta * scale

    def step(self, n: int = 1) -> None:
        """Do ``n`` iterations in one compiled call.

        Raises:
            NumericalError: If a probability is no longer finite (payoffs times eta beyond float range).
        """
        if n < 0:
            raise InvalidValue(f"the number of iterations must be non-negative, got {n!r}")
        self._run_sequence(n) if self.form == "sequence" else self._run_behavioural(n)
        self._iteration += n
        if not np.all(np.isfinite(self._pol)):
            raise NumericalError("policy", math.nan, step=self._iteration, where="MMD; use a smaller eta")

    def _run_behavioural(self, n: int) -> None:
        a = self.game.arrays
        kernels.run_behavioural(
            a.players, a.seq_off, a.iset_off, a.parent, a.first, a.nact, a.rowptr, a.col, a.val, a.cval,
            self._iteration + 1, n, _SCHEDULES[self.schedule], self.alpha, self.eta, self.magnet_rate, self.floor,
            _OBJECTIVES[self.objective], self._logpol, self._logmag, self._pol, self._x, self._g, self._c,
        )  # fmt: skip

    def _run_sequence(self, n: int) -> None:
        a = self.game.arrays
        kernels.run_sequence(
            a.seq_off, a.parent, a.first, a.nact, a.rowptr, a.col, a.val, self._children, self._iteration + 1, n,
            _SCHEDULES[self.schedule], self.alpha, self.eta, self.floor, self._logpol, self._pol, self._x, self._g,
        )  # fmt: skip

    def solve(
        self, tolerance: float = 1e-9, *, max_iterations: int = 1_000_000, every: int = 1000
    ) -> BehaviouralPolicy:
        """Iterate until the regularised regret (behavioural) or saddle gap (sequence) is below ``tolerance``.

        Args:
            tolerance: In payoff units, > 0.
            max_iterations: Limit on the iterations of this call.
            every: Iterations between two measurements.

        Raises:
            NotConverged: If the limit was reached first; the solver keeps its state.
            Unsupported: If the schedule has no fixed point (annealing, moving magnet, alpha = 0).
        """
        if self.schedule != "constant" or self.magnet_rate > 0.0 or self.alpha == 0.0:
            raise Unsupported("solve() needs schedule='constant', magnet_rate=0 and alpha > 0; use step(n) instead")
        if not tolerance > 0.0 or every < 1:
            raise InvalidValue(f"tolerance must be positive and every at least 1, got {tolerance!r}, {every!r}")
        done = 0
        while (gap := self.regularised_gap()) >= tolerance:
            if done >= max_iterations:
                raise NotConverged(f"regularised gap {gap:.3g} after {done} iterations, wanted below {tolerance:.3g}")
            chunk = min(every, max_iterations - done)
            self.step(chunk)
            done += chunk
        return self.policy()

    def regularised_gap(self) -> float:
        """Return the largest regularised regret over infosets, or the regularised saddle gap in sequence form.

        Payoff units, at the temperature of the last iteration; 0 exactly at the quantal response equilibrium.
        """
        alpha, _ = self.rates(max(1, self._iteration))
        if self.form == "behavioural":
            return float(self.action_values().regularised_regrets(alpha).max(initial=0.0))
        a, work = self.game.arrays, np.zeros_like(self._g)
        total = kernels.sequence_gap(
            a.seq_off, a.parent, a.first, a.nact, a.rowptr, a.col, a.val, self._logpol, self._pol, self._x, alpha, work
        )
        return float(total) - float(self.game.constant_sum or 0.0)

    def action_values(self) -> ActionValues:
        """Return action values, masses and log policies of the current profile."""
        alpha, _ = self.rates(max(1, self._iteration))
        return action_values(self.game, self._logpol, self._logmag, alpha=alpha, objective=_OBJECTIVES[self.objective])

    def policy(self) -> BehaviouralPolicy:
        """Return a copy of the current policy, the output of the method."""
        return BehaviouralPolicy(self.game, self._pol.copy())

    def current_policy(self) -> BehaviouralPolicy:
        """Return the same as ``policy``: MMD averages nothing."""
        return self.policy()

    def magnet(self) -> BehaviouralPolicy:
        """Return the magnet, normalised at every infoset."""
        a, log, probs = self.game.arrays, self._logmag.copy(), np.ones(self.game.arrays.sequences)
        for first, count in zip(a.first.tolist(), a.nact.tolist(), strict=True):
            kernels.store_policy(log, probs, first, first + count, 0.0)
        return BehaviouralPolicy(self.game, probs)

    def save(self) -> State:
        """Return log policy, log magnet and iteration; going on from them is bit-identical."""
        arrays: dict[str, Any] = {"logpol": self._logpol.copy(), "logmag": self._logmag.copy(), "pol": self._pol.copy()}
        return State(arrays, {"iteration": self._iteration})

    def load(self, state: State) -> None:
        """Restore a state made by ``save`` for the same game and parameters."""
        size = self.game.arrays.sequences
        restored = {name: np.array(state.arrays[name], dtype=np.float64) for name in ("logpol", "logmag", "pol")}
        for name, array in restored.items():
            if array.shape != (size,):
                raise InvalidValue(f"saved {name} has shape {array.shape}, the game has {size} sequences")
        self._logpol, self._logmag = restored["logpol"], restored["logmag"]
        self._allocate()
        self._pol[:] = restored["pol"]
        a = self.game.arrays
        action_kernels.reaches(a.seq_off, a.players, a.parent, a.first, a.nact, self._pol, self._x)
        self._iteration = int(state.meta["iteration"])  # type: ignore[arg-type]

    def certificate(self) -> Certificate:
        """Measure the exploitability of the current policy exactly; details hold the quantal response residual."""
        alpha, eta = self.rates(max(1, self._iteration))
        details: dict[str, Any] = {"alpha": alpha, "eta": eta, "regularised_gap": self.regularised_gap()}
        if self.form == "behavioural" and alpha > 0.0:
            details["fixed_point_residual"] = fixed_point_residual(self.action_values(), alpha)
        warning = ""
        if self.schedule == "constant" and self.magnet_rate == 0.0:
            warning = f"the method converges to a quantal response equilibrium at temperature {alpha:g}, not to 0"
        return Certificate(
            measure="exploitability",
            value=exploitability(self.game, self.policy()),
            unit="game payoff",
            method="exact best response by backward induction, last iterate",
            details=details,
            warning=warning,
        )


def _check_names(form: str, schedule: str, objective: str) -> None:
    for kind, name, known in (
        ("form", form, _FORMS),
        ("schedule", schedule, tuple(_SCHEDULES)),
        ("objective", objective, tuple(_OBJECTIVES)),
    ):
        if name not in known:
            raise InvalidValue(str(unknown_name(kind, name, known)))


def _check_support(
    game: ExtensiveGame, form: str, objective: str, *, magnet_rate: float, magnet: BehaviouralPolicy | None
) -> None:
    if objective == "minimaxent" and game.players != 2:
        raise Unsupported(f"objective 'minimaxent' needs two players, {game.name!r} has {game.players}")
    if form == "behavioural":
        return
    if game.players != 2 or game.constant_sum is None:
        raise Unsupported(
            f"form 'sequence' needs a two-player zero-sum game, {game.name!r} has {game.players} players"
            f"{' and no constant payoff sum' if game.constant_sum is None else ''}; use form='behavioural'"
        )
    if magnet_rate > 0.0 or magnet is not None or objective != "standard":
        raise Unsupported("form 'sequence' has a fixed uniform magnet and the standard objective")


def _largest_stable_ratio(game: ExtensiveGame) -> float:
    largest = float(np.abs(game.arrays.val).max(initial=0.0))
    return 1.0 / largest**2 if largest > 0.0 else 1.0


def _log_policy(game: ExtensiveGame, policy: BehaviouralPolicy | None, name: str) -> FloatArray:
    probs = (uniform_policy(game) if policy is None else policy).probs
    if np.any(probs <= 0.0):
        i = int(np.flatnonzero(probs <= 0.0)[0])
        raise InvalidValue(f"{name} must not contain zeros, got {probs[i]!r} at sequence {i}")
    return np.asarray(np.log(probs), dtype=np.float64)
