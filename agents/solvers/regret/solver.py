"""The solver object around the compiled rules.

Which quantity converges: the *average* policy (``policy()``), not the current one.  In two-player
zero-sum games its NashConv goes to zero; with more players or general sums there is no guarantee, and
the certificate says how far it is.

Loop::

    solver = CFRPlus(game)
    solver.step(1000)
    exploitability(game, solver.average_policy())
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeAlias

import numpy as np
from pydantic import ValidationError

from equilibria.agents.solvers.regret.rules import Rule, make_rule
from equilibria.agents.solvers.regret.settings import SETTINGS, RegretSettings
from equilibria.games.extensive import kernels as tree
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.history import HistoryGame
from equilibria.games.extensive.policy import BehaviouralPolicy, uniform_probabilities
from equilibria.games.extensive.tables import policy_table
from equilibria.games.extensive.values import values_and_responses
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import InvalidValue, NumericalError, UnknownName, Unsupported, did_you_mean
from equilibria.sim.types import JSON, AnyArray, FloatArray

Parameter: TypeAlias = bool | int | float | str | None

ZERO_TOL = 1e-15
"""Default dead zone of instantaneous regrets, as a fraction of the utility range."""


class RegretMinimiser:
    """A tabular regret minimiser for all players of a perfect-recall game.

    Args:
        game: The game.
        settings: Settings of the method; or give its parameters by name.
        budget: Planned number of iterations; schedules need it, warm starts use it.
        threads: Threads of large gradients (more than 2e5 entries); results do not depend on it.
        parameters: Parameters of the method by name, see ``equilibria describe METHOD``.

    Raises:
        InvalidValue: If a parameter is out of range or unknown; the message names it.
        Unsupported: If the game is no ``ExtensiveGame``.
    """

    method: ClassVar[str]
    table_names: ClassVar[tuple[str, ...]] = ("policy",)

    def __init__(
        self,
        game: ExtensiveGame,
        settings: RegretSettings | None = None,
        *,
        budget: int | None = None,
        threads: int = 1,
        **parameters: Parameter,
    ) -> None:
        if isinstance(game, HistoryGame):
            raise Unsupported(f"{game.name!r} is a history-level game; use HistoryRegretMinimiser for imperfect recall")
        if not isinstance(game, ExtensiveGame):
            raise Unsupported(f"{self.method} needs an ExtensiveGame, got {type(game).__name__}")
        self.game = game
        self.settings = check_settings(self.method, settings, parameters)
        self.rule = make_rule(self.method, self.settings, budget)
        self.budget = budget
        self._done = 0
        self._payoffs, spread = _scaled(game, self.settings.normalise)
        self._params = with_dead_zone(self.rule, self.settings, spread)
        a = game.arrays
        self._policy = uniform_probabilities(game)
        self._reach, self._work = np.zeros(a.sequences), np.zeros(a.sequences)
        self._regret, self._sums = np.zeros(a.sequences), np.zeros(a.sequences)
        self._extra = np.zeros(extra_size(self.rule, a.sequences, a.infosets))
        self._fill_reach()
        self._blocks: list[AnyArray] = []
        self._threads = 1
        self.use_threads(threads)

    @property
    def iteration(self) -> int:
        """Number of iterations done."""
        return self._done

    def use_threads(self, threads: int) -> None:
        """Set the number of threads of large gradients; results do not depend on it."""
        if threads < 1:
            raise InvalidValue(f"threads must be at least 1, got {threads!r}")
        self._threads = threads
        self._blocks = []
        if threads > 1:
            from equilibria.games.extensive import parallel

            if parallel.worthwhile(self.game.arrays, threads):
                self._blocks = [parallel.row_blocks(self.game.arrays, p) for p in range(self.game.players)]

    def step(self, n: int = 1) -> None:
        """Do ``n`` iterations.

        Raises:
            InvalidValue: If ``n`` is negative or the iterations exceed the budget of a schedule.
            NumericalError: If a regret stopped being finite.
        """
        check_step(self.rule, self._done, n)
        if self._blocks:
            self._step_threads(n)
        else:
            a = self.game.arrays
            self.rule.family.run(
                a.seq_off,
                a.iset_off,
                a.parent,
                a.first,
                a.nact,
                a.rowptr,
                a.col,
                self._payoffs,
                self._policy,
                self._reach,
                self._regret,
                self._sums,
                self._work,
                self._extra,
                self._params,
                self._done,
                n,
                self.settings.alternating,
            )
        self._done += n
        check_finite(self._regret, self._sums, self._done)

    def average_policy(self) -> BehaviouralPolicy:
        """Return the average policy; uniform where nothing was accumulated yet."""
        a = self.game.arrays
        probs = np.ones(a.sequences)
        tree.normalise_sums(a.first, a.nact, self._sums, probs, 0, a.infosets)
        return BehaviouralPolicy.trusted(self.game, probs)

    def current_policy(self) -> BehaviouralPolicy:
        """Return the policy of the next iteration."""
        return BehaviouralPolicy.trusted(self.game, self._policy.copy())

    def policy(self) -> BehaviouralPolicy:
        """Return the output of the method: the average policy."""
        return self.average_policy()

    def regrets(self) -> FloatArray:
        """Return a copy of the method's cumulative regrets [S]."""
        return self._regret.copy()

    def table(self, name: str) -> dict[str, AnyArray]:
        """Return the rows of an offered table: ``policy``, the average policy with reach and regret."""
        if name not in self.table_names:
            hint = did_you_mean(name, self.table_names, "table")
            raise UnknownName(f"{self.method} offers no table {name!r}; {hint}")
        return policy_table(self.game, self.average_policy())

    def save(self) -> State:
        """Return policies, regrets and sums; continuing from them is bit-identical."""
        arrays = {"policy": self._policy, "regret": self._regret, "sums": self._sums, "extra": self._extra}
        return State({k: v.copy() for k, v in arrays.items()}, self._identity() | {"iteration": self._done})

    def load(self, state: State) -> None:
        """Restore what ``save`` returned.

        Raises:
            InvalidValue: If the state belongs to another game, method or setting.
        """
        for key, mine in self._identity().items():
            if state.meta.get(key) != mine:
                raise InvalidValue(f"saved state has {key} {state.meta.get(key)!r}, this solver has {mine!r}")
        for name, target in (
            ("policy", self._policy),
            ("regret", self._regret),
            ("sums", self._sums),
            ("extra", self._extra),
        ):
            source = np.asarray(state.arrays[name], dtype=np.float64)
            if source.shape != target.shape:
                raise InvalidValue(f"saved {name} has shape {source.shape}, expected {target.shape}")
            target[:] = source
        self._done = as_count(state.meta["iteration"])
        self._fill_reach()

    def certificate(self) -> Certificate:
        """Return the exact exploitability of the average policy, with gains and values per player."""
        average, current = self.average_policy(), self.current_policy()
        values, responses = values_and_responses(self.game, average.reach)
        now = values_and_responses(self.game, current.reach)
        gains = responses - values
        conv, n = float(gains.sum()), self.game.players
        warm = self.rule.warm_start
        warning = "" if self._done > warm or not warm else f"the average policy is uniform until iteration {warm}"
        return Certificate(
            measure="exploitability",
            value=conv / n,
            unit="game payoff",
            method="exact best responses by backward induction against the average policy",
            details={
                "nash_conv": conv,
                "gains": [float(v) for v in gains],
                "values": [float(v) for v in values],
                "current_exploitability": float((now[1] - now[0]).sum()) / n,
                "iterations": self._done,
                "converges_in_theory": n == 2 and self.game.constant_sum is not None,
            },
            warning=warning,
        )

    def _step_threads(self, n: int) -> None:
        from equilibria.games.extensive import parallel
        from equilibria.sim.jit import set_threads

        a, update = self.game.arrays, self.rule.family.update
        set_threads(self._threads)
        for k in range(self._done, self._done + n):
            for p in range(a.players):
                if self.settings.alternating:
                    parallel.gradient_blocks(a.rowptr, a.col, self._payoffs, self._reach, self._work, self._blocks[p])
                elif p == 0:
                    for block in self._blocks:
                        parallel.gradient_blocks(a.rowptr, a.col, self._payoffs, self._reach, self._work, block)
                update(
                    a.parent,
                    a.first,
                    a.nact,
                    self._policy,
                    self._reach,
                    self._regret,
                    self._sums,
                    self._work,
                    self._extra,
                    a.iset_off[p],
                    a.iset_off[p + 1],
                    self._params,
                    k,
                )

    def _fill_reach(self) -> None:
        a = self.game.arrays
        tree.full_reach(a.seq_off, a.iset_off, a.parent, a.first, a.nact, self._policy, self._reach)

    def _identity(self) -> dict[str, JSON]:
        return {
            "method": self.method,
            "game": self.game.content_hash,
            "settings": self.settings.model_dump(mode="json"),
            "budget": self.budget,
        }


def check_settings(method: str, settings: RegretSettings | None, parameters: dict[str, Parameter]) -> RegretSettings:
    """Return the settings object of a method from keyword parameters.

    Raises:
        InvalidValue: If a parameter is unknown or out of range; the message names it.
    """
    if settings is not None:
        if parameters:
            raise InvalidValue(f"give either settings or parameters, got settings and {sorted(parameters)}")
        return settings
    try:
        return SETTINGS[method](**parameters)  # type: ignore[arg-type]
    except ValidationError as error:
        parts = [f"{'.'.join(map(str, e['loc']))}: {e['msg']} (got {e['input']!r})" for e in error.errors()]
        raise InvalidValue(f"{method}: {'; '.join(parts)}") from None


def with_dead_zone(rule: Rule, settings: RegretSettings, spread: float) -> FloatArray:
    """Return the rule's parameter vector with the dead zone for payoffs of range ``spread``."""
    params = rule.params.copy()
    params[rule.family.zero_tol] = ZERO_TOL * spread if settings.zero_tol is None else settings.zero_tol
    return params


def extra_size(rule: Rule, sequences: int, infosets: int) -> int:
    """Return the length of the method's extra state."""
    return {"sequence": sequences, "infoset": infosets, "one": 1, "none": 0}[rule.extra]


def check_step(rule: Rule, done: int, n: int) -> None:
    """Refuse negative counts and iterations beyond a schedule."""
    if n < 0:
        raise InvalidValue(f"number of iterations must be at least 0, got {n!r}")
    if rule.limit is not None and done + n > rule.limit:
        raise InvalidValue(
            f"the schedule covers {rule.limit} iterations, asked for iteration {done + n}; make a solver with a "
            "larger budget, or set beyond_budget='hold'"
        )


def check_finite(regret: FloatArray, sums: FloatArray, iteration: int) -> None:
    """Raise ``NumericalError`` when a sum of regrets or of policies is not finite."""
    for name, array in (("cumulative regret", regret), ("policy sum", sums)):
        total = float(array.sum())
        if not np.isfinite(total) and not bool(np.isfinite(array).all()):
            raise NumericalError(name, total, step=iteration, where="payoffs too large? try normalise=True")


def as_count(value: Any) -> int:
    """Return a saved iteration number."""
    if not isinstance(value, int) or value < 0:
        raise InvalidValue(f"saved iteration must be a whole number of at least 0, found {value!r}")
    return value


def _scaled(game: ExtensiveGame, normalise: bool) -> tuple[FloatArray, float]:
    """Return the payoff entries and their range, divided by half the range if asked."""
    half = game.utility_range / 2.0
    if not normalise or half == 0.0:
        return game.arrays.val, game.utility_range
    scaled = game.arrays.val / half
    scaled.flags.writeable = False  # the same array type as the game's, so the same compiled kernel
    return scaled, 2.0
