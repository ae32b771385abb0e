"""What COffeE-PSRO is compared with.

* Plain offline PSRO: ``CoffeePSRO`` with ``kappa``, both penalties and ``explore`` at zero.
* ``behaviour_cloning``: the action frequencies of the data.
* ``mixed_with_cloning``: an equilibrium of the mean model mixed with the cloned policy; the weight is chosen on the
  data (two folds: learn on one half of the episodes, ask the model of the other half for the NashConv).
* ``best_pure_profile``: of the policy pairs that plain offline PSRO collects, the one of highest estimated total
  payoff; ties, which are the rule in constant-sum games, go to the least estimated regret.

A mixture draws one of the two policies before the game.  The idea of the third is that of model-based
offline equilibrium finding (Li et al. 2022, arXiv 2207.05285); how the weight is chosen is our design.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from equilibria.agents.solvers.coffee.data import OfflineData
from equilibria.agents.solvers.coffee.ensemble import learn
from equilibria.agents.solvers.coffee.settings import CoffeeSettings
from equilibria.agents.solvers.coffee.solver import CoffeePSRO
from equilibria.agents.solvers.regret.methods import CFRPlus
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.policy import BehaviouralPolicy, behavioural
from equilibria.games.extensive.values import nash_conv
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree

PLAIN = CoffeeSettings(kappa=0, own_penalty=0, strategic_penalty=0, explore=0)
"""Plain offline PSRO."""
WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
_ITERATIONS = 500


def behaviour_cloning(data: OfflineData, game: ExtensiveGame) -> BehaviouralPolicy:
    """Return the action frequencies of the data as a policy of ``game``; uniform where the data have none."""
    episode = data.steps["episode"].to_numpy()
    counts: dict[tuple[int, str], np.ndarray[tuple[int], np.dtype[np.float64]]] = {}
    columns = [data.steps[c].to_list() for c in ("player", "infostate", "legal", "action")]
    for e, player, text, legal, action in zip(episode, *columns, strict=True):
        if player >= 0:
            row = counts.setdefault((player, text), np.zeros(len(legal)))
            row[legal.index(action)] += data.weights[e]
    table = {key: (row / row.sum()).tolist() for key, row in counts.items() if key in game.index}
    return BehaviouralPolicy.from_table(game, table)


def transfer(policy: BehaviouralPolicy, game: ExtensiveGame) -> BehaviouralPolicy:
    """Return a policy in another game with the same infosets; uniform where it says nothing."""
    source, table = policy.game, {}
    for key, i in source.index.items():
        if key in game.index:
            first, count = int(source.arrays.first[i]), int(source.arrays.nact[i])
            table[key] = [float(v) for v in policy.probs[first : first + count]]
    return BehaviouralPolicy.from_table(game, table)


def mixed_with_cloning(
    data: OfflineData,
    game: ExtensiveGame,
    *,
    settings: CoffeeSettings | None = None,
    seeds: SeedTree | None = None,
    weights: tuple[float, ...] = WEIGHTS,
) -> tuple[BehaviouralPolicy, float]:
    """Return a policy of ``game`` and the weight of cloning in it.

    Args:
        data: The data set, at least two episodes; two players.
        game: Where the policy is to be used; only its infosets are read.
        settings: How the model is learned.
        seeds: Seed tree of the folds and of the models.
        weights: Weights of cloning to choose from, in [0, 1].
    """
    options, tree = settings or CoffeeSettings(), seeds or SeedTree(0)
    if not weights or min(weights) < 0 or max(weights) > 1:
        raise InvalidValue(f"weights must lie in [0, 1] and be at least one, got {weights!r}")
    halves = _halves(data, tree)
    loss = np.zeros(len(weights))
    for own, other in ((0, 1), (1, 0)):
        model = learn(halves[own], options, tree.child("fold", own)).mean
        judge = learn(halves[other], options, tree.child("fold", other)).mean
        found = _equilibrium(model)
        loss += [nash_conv(judge, _mixture(found, halves[own], judge, w)) for w in weights]
    best = float(weights[int(np.argmin(loss))])
    return _mixture(_equilibrium(learn(data, options, tree.child("model")).mean), data, game, best), best


def _equilibrium(model: ExtensiveGame) -> BehaviouralPolicy:
    solver = CFRPlus(model)
    solver.step(_ITERATIONS)
    return solver.average_policy()


def _mixture(found: BehaviouralPolicy, data: OfflineData, game: ExtensiveGame, weight: float) -> BehaviouralPolicy:
    plans = transfer(found, game).plan(), behaviour_cloning(data, game).plan()
    return behavioural(game, (1 - weight) * plans[0] + weight * plans[1])


def _halves(data: OfflineData, seeds: SeedTree) -> tuple[OfflineData, OfflineData]:
    """Split the episodes at random; weights count identical episodes and are split binomially."""
    rng = seeds.child("halves").generator()
    whole = np.round(data.weights).astype(np.int64)
    if whole.sum() < 2:
        raise InvalidValue(f"data set {data.name!r} has fewer than two episodes: no halves to choose a weight on")
    if (whole == 1).all():
        drawn = np.zeros(len(whole), np.int64)
        drawn[rng.permutation(len(whole))[: len(whole) // 2]] = 1
    else:
        drawn = rng.binomial(whole, 0.5)
    return _part(data, drawn.astype(np.float64)), _part(data, (whole - drawn).astype(np.float64))


def _part(data: OfflineData, weights: np.ndarray[tuple[int], np.dtype[np.float64]]) -> OfflineData:
    kept = np.flatnonzero(weights > 0)
    number = np.full(len(weights), -1, np.int64)
    number[kept] = np.arange(len(kept))
    episode = data.steps["episode"].to_numpy()
    steps = data.steps.with_columns(pl.Series("episode", number[episode])).filter(pl.col("episode") >= 0)
    return OfflineData(data.name, steps, data.rewards[kept], weights[kept])


def best_pure_profile(
    data: OfflineData, game: ExtensiveGame, *, steps: int = 20, seeds: SeedTree | None = None
) -> BehaviouralPolicy:
    """Return the best pair of single policies that plain offline PSRO collects, as a policy of ``game``.

    Args:
        data: The data set; two players.
        game: Where the policy is to be used; only its infosets are read.
        steps: PSRO steps.
        seeds: Seed tree of the models.
    """
    solver = CoffeePSRO(data, PLAIN, seeds=seeds)
    solver.step(steps)
    u = np.asarray(solver.save().arrays["estimate"])
    welfare = u.sum(axis=0)
    regret = u[0].max(axis=0, keepdims=True) - u[0] + u[1].max(axis=1, keepdims=True) - u[1]
    top = welfare >= welfare.max() - 1e-9 * max(1.0, float(np.abs(u).max()))
    i, j = np.unravel_index(int(np.argmin(np.where(top, regret, np.inf))), regret.shape)
    model = solver.ensemble.mean
    return transfer(behavioural(model, np.concatenate([solver.plans[0][i], solver.plans[1][j]])), game)
