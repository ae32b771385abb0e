"""PSRO against OpenSpiel's psro_v2, and linear programs re-solved against solved cold.

Peer: ``open_spiel.python.algorithms.psro_v2`` with its exact best-response oracle, 100 simulations per
meta-game entry (it has no exact payoffs) and its linear-program Nash meta-solver.  That one asks
cvxpy for the ECOS solver, which OpenSpiel does not install; HiGHS through cvxpy takes its place.
Both sides do K iterations from one uniform policy, each in the same process, CPU time.

What an iteration of ours must do at least: two gradients (one multiplication per merged terminal
and player) and k^2 multiplications per round of the meta-solver.  ``limit_fraction`` of the SHOR rows
is the time of the matrix products alone, at the speed a plain product of that size reaches here,
over the time of the run.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import statistics
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy.optimize import linprog

from equilibria.agents.solvers.population.incremental import IncrementalNash
from equilibria.agents.solvers.population.kernels import values
from equilibria.agents.solvers.population.meta_game import DenseMetaGame
from equilibria.agents.solvers.population.meta_solvers.shor import ShorSettings
from equilibria.agents.solvers.population.psro import PSRO
from equilibria.benchmarks.common import Row, medians, seconds
from equilibria.games.extensive import openspiel
from equilibria.sim.jit import kernel
from equilibria.sim.types import FloatArray

_CHECKPOINTS = 5


def rows(*, quick: bool = False) -> Iterator[Row]:
    """Measure PSRO with Nash against psro_v2, SHOR and PM on the paper's games, and LP re-solves."""
    yield _against_openspiel("kuhn_poker", 10, target=100.0, rounds=1 if quick else 3)
    yield _against_openspiel("leduc_poker", 3 if quick else 20, target=300.0, rounds=1)
    for name, guide in (
        ("leduc_poker", 2.5),
        ("liars_dice(dice_sides=5)", 3.0),
        ("kuhn_poker(players=3)", 15.0),
        ("kuhn_poker(players=4)", 60.0),
    ):
        if not (quick and "kuhn" in name):
            yield _shor(name, 20 if quick else 100, None if quick else guide, rounds=1 if quick else 5)
    yield from _program(40 if quick else 100, seeds=2 if quick else 5)


def _ours(name: str, meta_solver: str, iterations: int) -> Callable[[], float]:
    game = openspiel(name)

    def run() -> float:
        solver = PSRO(game, meta_solver=meta_solver)
        for _ in range(_CHECKPOINTS):
            solver.step(iterations // _CHECKPOINTS)
            found = solver.distance().exploitability
        return found

    return run


def _plain(name: str, iterations: int) -> Callable[[], object]:
    game = openspiel(name)

    def run() -> object:
        solver = PSRO(game, meta_solver="nash")
        solver.step(iterations)
        return solver

    return run


def _against_openspiel(name: str, iterations: int, *, target: float, rounds: int) -> Row:
    ours = medians({"ours": _plain(name, iterations)}, rounds=5)["ours"]
    case = f"{name}: PSRO with Nash, {iterations} iterations"
    if importlib.util.find_spec("cvxpy") is None:
        return Row(case=case, ours=ours, unit="s", note="the peer needs cvxpy: pip install cvxpy")
    theirs = statistics.median(seconds(_openspiel(name, iterations)) for _ in range(rounds))
    return Row(
        case=case,
        ours=ours,
        peer=theirs,
        peer_name="OpenSpiel psro_v2 (100 simulations per entry)",
        unit="s",
        ratio=theirs / ours,
        target=target,
        note=f"ours has exact payoffs; peer measured {rounds} time(s)",
    )


def _openspiel(name: str, iterations: int) -> Callable[[], object]:
    import cvxpy
    import pyspiel
    from open_spiel.python import policy
    from open_spiel.python.algorithms.psro_v2 import best_response_oracle, psro_v2

    solve = cvxpy.Problem.solve

    def with_highs(self: Any, *args: object, **kwargs: object) -> object:
        return solve(self, solver="HIGHS")

    game = pyspiel.load_game(name)

    def run() -> object:
        start = policy.UniformRandomPolicy(game)
        cvxpy.Problem.solve = with_highs
        try:
            # the peer prints its options, which would end up in our report
            with contextlib.redirect_stdout(io.StringIO()):
                solver = psro_v2.PSROSolver(
                    game,
                    best_response_oracle.BestResponseOracle(game=game, policy=start),
                    initial_policies=[start for _ in range(2)],
                    training_strategy_selector="probabilistic",
                    sims_per_entry=100,
                    meta_strategy_method="nash",
                    sample_from_marginals=True,
                )
            for _ in range(iterations):
                solver.iteration()
        finally:
            cvxpy.Problem.solve = solve
        return solver

    return run


def _shor(name: str, iterations: int, guide: float | None, *, rounds: int) -> Row:
    run = _ours(name, "shor", iterations)
    run()
    ours = statistics.median(seconds(run) for _ in range(rounds))
    two = "players" not in name
    return Row(
        case=f"{name}: PSRO with SHOR, {iterations} iterations, {_CHECKPOINTS} evaluations",
        ours=ours,
        unit="s",
        target=guide,
        limit_fraction=_products(iterations) / ours if two else None,
        note="target is a guide in seconds on a quiet machine",
    )


@kernel
def _repeat(m, sigma, out, times):  # type: ignore[no-untyped-def]
    """Ask for player 0's payoffs ``times`` times inside one compiled call."""
    for _ in range(times):
        values(m, 0, sigma, out)


def _products(iterations: int) -> float:
    """Return the seconds that the matrix products of such a run take alone (two players, full support)."""
    settings, total = ShorSettings(), 0.0
    rng = np.random.default_rng(0)
    times = 2000
    for part in range(1, 11):
        k = max(1, iterations * part // 10)
        arrays = DenseMetaGame([rng.standard_normal((k, k))]).arrays()
        sigma, out = np.full(2 * k, 1.0 / k), np.empty(k)
        _repeat(arrays, sigma, out, 1)
        once = statistics.median(seconds(lambda a=arrays, s=sigma, o=out: _repeat(a, s, o, times)) for _ in range(3))  # type: ignore[misc]
        rounds = settings.training_rounds(k) * iterations / 10
        if part % 2 == 0:
            rounds += settings.evaluation_rounds(k)
        total += 2 * rounds * once / times
    return total


def _program(size: int, *, seeds: int) -> Iterator[Row]:
    warm, cold = [], []
    for seed in range(seeds):
        matrix = np.random.default_rng(seed).standard_normal((size, size))
        program = IncrementalNash()
        for k in range(1, size):
            program.solve(matrix[:k, :k])
        warm.append(seconds(lambda p=program, m=matrix: p.solve(m)))  # type: ignore[misc]
        cold.append(seconds(lambda m=matrix: _cold(m)))  # type: ignore[misc]
    ours, theirs = statistics.median(warm) * 1e3, statistics.median(cold) * 1e3
    case = f"zero-sum Nash program grown to {size} x {size}: one re-solve"
    yield Row(case=case, ours=ours, unit="ms", target=5.0)
    yield Row(
        case=f"{case}, against a cold solve",
        ours=ours,
        peer=theirs,
        peer_name="scipy.optimize.linprog (HiGHS), cold",
        unit="ms",
        ratio=theirs / ours,
    )


def _cold(matrix: FloatArray) -> object:
    m, k = matrix.shape
    return linprog(
        np.append(np.zeros(m), -1.0),
        A_ub=np.hstack([-matrix.T, np.ones((k, 1))]),
        b_ub=np.zeros(k),
        A_eq=np.append(np.ones(m), 0.0)[None],
        b_eq=[1.0],
        bounds=[(0.0, None)] * m + [(None, None)],
        method="highs",
    )
