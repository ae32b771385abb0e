"""Sampled meta-games: every entry estimated from episodes, with intervals.

Entry e = (j_1, ..., j_n) draws from the stream hash(run seed, e), so the estimates do not depend on
the order in which entries are filled or on the number of worker processes.  Players of a two-player
constant-sum game share their episodes; otherwise each player's tensor has its own.
"""

from __future__ import annotations

import itertools
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from equilibria.agents.solvers.population.intervals import Interval, Method, interval
from equilibria.agents.solvers.population.meta_game import DenseMetaGame, MetaStrategy
from equilibria.agents.solvers.population.plan_game import PlanMetaGame
from equilibria.agents.solvers.population.settings import PSROSettings
from equilibria.games.extensive.arrays import GameArrays
from equilibria.sim.contract import State
from equilibria.sim.errors import CorruptRun, InvalidValue, WorkerDied
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, FloatArray, IntArray

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHUNK = 8  # entries per task: fixed, so that the split never depends on the number of workers
_FIELDS = ("mean", "m2", "count")

# The game of a worker process: sent once when the process starts, not with every task.
_worker_arrays: list[GameArrays] = []


class SampledPayoffs:
    """Payoff estimates of all joint policies of a populations' meta-game.

    Args:
        meta: Populations.
        settings: ``episodes``, ``half_width``, ``confidence`` and ``workers`` are used.
        seeds: Seed node of the payoffs.
    """

    def __init__(self, meta: PlanMetaGame, settings: PSROSettings, seeds: SeedTree) -> None:
        self._settings, self._seeds = settings, seeds
        self._pool: ProcessPoolExecutor | None = None
        self.attach(meta)

    def attach(self, meta: PlanMetaGame) -> None:
        """Start anew on other populations of the same game."""
        self._meta = meta
        shape = (3, meta.players, *(0 for _ in range(meta.players)))
        self._stats = np.zeros(shape)
        self._dense: DenseMetaGame | None = None

    @property
    def mean(self) -> FloatArray:
        """[n, k_1, ..., k_n] estimated payoffs."""
        return np.asarray(self._stats[0])

    @property
    def count(self) -> IntArray:
        """[n, k_1, ..., k_n] episodes per entry."""
        return np.asarray(self._stats[2], dtype=np.int64)

    @property
    def standard_error(self) -> FloatArray:
        """[n, k_1, ..., k_n] standard errors of the estimates."""
        n = self._stats[2]
        return np.asarray(np.sqrt(self._stats[1] / (n - 1.0) / n))

    def interval(self, method: Method = "normal") -> Interval:
        """Return the confidence interval of every entry; ``span`` is the game's utility range."""
        s, span = self._settings, self._meta.game.utility_range
        return interval(self.mean, self._stats[1], self.count, span=span, confidence=s.confidence, method=method)

    def meta_game(self) -> DenseMetaGame:
        """Return the meta-game of the estimated payoffs."""
        self.update()
        if self._dense is None:
            self._dense = DenseMetaGame(list(self.mean))
        return self._dense

    def update(self) -> None:
        """Estimate the entries of policies that were added since the last call."""
        old, new = self._stats.shape[2:], tuple(int(k) for k in self._meta.sizes)
        if old == new:
            return
        fresh = [e for e in itertools.product(*map(range, new)) if any(j >= k for j, k in zip(e, old, strict=True))]
        stats = np.zeros((3, self._meta.players, *new))
        stats[(slice(None), slice(None), *(slice(k) for k in old))] = self._stats
        entries = np.array(fresh, dtype=np.int64)
        for player, values in self._estimates(entries):
            stats[(slice(None), player, *entries.T)] = values.T
        self._stats, self._dense = stats, None

    def close(self) -> None:
        """Stop the worker processes."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def save(self) -> State:
        """Return the estimates, those of the newest policies included."""
        self.update()
        return State(arrays={name: self._stats[i] for i, name in enumerate(_FIELDS)})

    def load(self, state: State) -> None:
        """Restore the estimates.

        Raises:
            CorruptRun: If they do not fit the populations.
        """
        try:
            stats = np.stack([np.asarray(state.arrays[name], np.float64) for name in _FIELDS])
        except (KeyError, ValueError) as error:
            raise CorruptRun(f"the saved sampled payoffs are incomplete: {error}") from error
        sizes = tuple(int(k) for k in self._meta.sizes)
        if stats.ndim != 2 + len(sizes) or any(k > size for k, size in zip(stats.shape[2:], sizes, strict=True)):
            raise CorruptRun(f"saved payoffs of shape {stats.shape[1:]} do not fit populations of sizes {sizes}")
        self._stats, self._dense = stats, None

    def _estimates(self, entries: IntArray) -> list[tuple[int, FloatArray]]:
        """Return (player, [E, 3] mean, m2, count) for every player."""
        total = self._meta.game.constant_sum
        if self._meta.players == 2 and total is not None:
            values = self._sample(entries, 0)
            return [(0, values), (1, np.column_stack([total - values[:, 0], values[:, 1:]]))]
        return [(p, self._sample(entries, p)) for p in range(self._meta.players)]

    def _sample(self, entries: IntArray, player: int) -> FloatArray:
        s = self._settings
        keys = np.array([self._key(entry, player) for entry in entries.tolist()], dtype=np.uint64)
        plans = self._meta.arrays().plans[: int(self._meta.sizes.max())]
        z = float(ndtri(0.5 + s.confidence / 2))
        width = -1.0 if s.half_width is None else s.half_width
        tasks = [
            (plans, entries[i : i + _CHUNK], keys[i : i + _CHUNK], player, s.episodes, z, width)
            for i in range(0, len(entries), _CHUNK)
        ]
        if s.workers == 1 or len(tasks) == 1:
            return np.concatenate([_estimate(self._meta.game.arrays, *task) for task in tasks])
        try:
            return np.concatenate(list(self._workers().map(_task, tasks)))
        except BrokenProcessPool as error:
            self._pool = None
            raise WorkerDied(
                "a worker process that sampled payoffs ended without an answer (out of memory?)"
            ) from error

    def _key(self, entry: list[int], player: int) -> np.uint64:
        return SeedTree(self._seeds.seed, (*self._seeds.path, *entry, player)).key()

    def _workers(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._settings.workers,
                # a forked copy of a process with compiled-code threads may deadlock
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start_worker,
                initargs=(self._meta.game.arrays,),
            )
        return self._pool


def bootstrap_exploitability(
    payoffs: SampledPayoffs, strategy: MetaStrategy, *, confidence: float = 0.95, resamples: int = 100, seeds: SeedTree
) -> tuple[float, float]:
    """Return an interval of the exploitability of a meta-strategy in the restricted (meta-)game.

    Parametric bootstrap: every entry is redrawn from a normal distribution with its standard error.

    Args:
        payoffs: Sampled payoffs.
        strategy: Meta-strategy that was computed from them.
        confidence: Coverage in (0, 1).
        resamples: Number B of resamples, >= 2.
        seeds: Seed node.

    Raises:
        InvalidValue: If ``confidence`` or ``resamples`` is out of range.
    """
    if not 0 < confidence < 1 or resamples < 2:
        raise InvalidValue(f"need confidence in (0, 1) and at least 2 resamples, got {confidence!r} and {resamples!r}")
    rng = seeds.generator()
    mean, error = payoffs.mean, payoffs.standard_error
    drawn = []
    for _ in range(resamples):
        noise = rng.standard_normal(mean.shape)
        if payoffs.meta_game().constant_sum is not None and mean.shape[0] == 2:
            noise[1] = -noise[0]
        game = DenseMetaGame(list(mean + error * noise))
        values = [game.values(p, strategy.marginals) for p in range(game.players)]
        drawn.append(np.mean([v.max() - v @ m for v, m in zip(values, strategy.marginals, strict=True)]))
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _estimate(
    arrays: GameArrays,
    plans: FloatArray,
    entries: IntArray,
    keys: NDArray[np.uint64],
    player: int,
    episodes: int,
    z: float,
    width: float,
) -> FloatArray:
    from equilibria.agents.solvers.population.sampling import sample_entries

    out = np.zeros((len(entries), 3))
    a = arrays
    sample_entries(a.seq_off, a.rowptr, a.col, a.val, a.cval, plans, entries, keys, player, episodes, z, width, out)
    return out


def _start_worker(arrays: GameArrays) -> None:
    _worker_arrays[:] = [arrays]


def _task(task: tuple[FloatArray, IntArray, AnyArray, int, int, float, float]) -> FloatArray:
    return _estimate(_worker_arrays[0], *task)  # type: ignore[arg-type]
