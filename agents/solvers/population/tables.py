"""Tables that PSRO offers to a run: ``meta_game``, ``meta_strategy`` and ``policy``.

``meta_game`` holds each entry once: the rows of a recording point are the entries of policies that
were added since the previous one.  It ends when the meta-game switches to the tensor-free operator,
because no entries are computed from then on.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from equilibria.agents.solvers.population.meta_game import MetaStrategy, values_against
from equilibria.sim.errors import CorruptRun
from equilibria.sim.types import AnyArray, IntArray

if TYPE_CHECKING:
    from equilibria.agents.solvers.population.psro import PSRO

TABLES = ("meta_game", "meta_strategy", "policy")


class MetaGameRows:
    """Which entries of the meta-game have been recorded.

    Attributes:
        recorded: [n] population sizes at the previous recording point.
    """

    def __init__(self, players: int) -> None:
        self.recorded: IntArray = np.zeros(players, np.int64)

    def restore(self, sizes: AnyArray, players: int) -> None:
        """Set ``recorded`` from a checkpoint.

        Raises:
            CorruptRun: If it does not fit the game.
        """
        if sizes.shape != (players,):
            raise CorruptRun(f"the saved PSRO state has {sizes.shape} recorded sizes, expected ({players},)")
        self.recorded = np.asarray(sizes, np.int64)

    def take(self, solver: PSRO) -> dict[str, AnyArray]:
        """Return the rows that are new and remember that they were recorded.

        Columns: ``policy_<p>`` the joint policy, ``payoff_<p>`` player p's payoff and, with sampled
        payoffs, ``standard_error_<p>`` and ``episodes_<p>``.
        """
        n, sizes = solver.meta.players, solver.meta.sizes
        fresh: IntArray = np.zeros((0, n), np.int64)
        if solver.sampled is not None or solver.meta.uses_tensor():
            found = [
                entry
                for entry in itertools.product(*(range(int(k)) for k in sizes))
                if any(j >= old for j, old in zip(entry, self.recorded, strict=True))
            ]
            fresh = np.array(found, np.int64).reshape(-1, n)
            self.recorded = sizes
        place = tuple(fresh.T)
        columns: dict[str, AnyArray] = {f"policy_{p}": fresh[:, p] for p in range(n)}
        payoffs = solver.payoffs().payoffs() if len(fresh) else tuple(np.zeros((0,) * n) for _ in range(n))
        columns |= {f"payoff_{p}": np.ascontiguousarray(payoffs[p][place]) for p in range(n)}
        if solver.sampled is not None:
            columns |= {f"standard_error_{p}": solver.sampled.standard_error[p][place] for p in range(n)}
            columns |= {f"episodes_{p}": solver.sampled.count[p][place] for p in range(n)}
        return columns


def meta_strategy_rows(solver: PSRO) -> dict[str, AnyArray]:
    """Return the training and the evaluation meta-strategy.

    Columns: ``purpose`` (``train`` or ``eval``), ``solver``, ``player``, ``policy``, ``probability`` and
    ``payoff``, the policy's payoff against the others' mixtures.  The training one is what the
    policies of the last iteration respond to; it is missing before the first iteration.
    """
    train = solver.train_strategy()
    parts = [] if train is None else [_rows(solver, "train", train)]
    parts.append(_rows(solver, "eval", solver.meta_strategy()))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _rows(solver: PSRO, purpose: str, strategy: MetaStrategy) -> dict[str, AnyArray]:
    arrays = solver.payoffs().arrays()
    own = np.array([len(m) for m in strategy.marginals], np.int64)
    padded = [
        np.concatenate([m, np.zeros(int(k) - len(m))]) for m, k in zip(strategy.marginals, arrays.sizes, strict=True)
    ]
    payoffs = [values_against(arrays, p, padded)[: len(m)] for p, m in enumerate(strategy.marginals)]
    count = int(own.sum())
    return {
        "purpose": np.full(count, purpose),
        "solver": np.full(count, strategy.solver),
        "player": np.repeat(np.arange(own.size, dtype=np.int64), own),
        "policy": np.concatenate([np.arange(k, dtype=np.int64) for k in own]),
        "probability": strategy.flat,
        "payoff": np.concatenate(payoffs),
    }
