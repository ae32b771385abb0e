"""How populations grow in one iteration: new policies of all players against the same meta-strategy.

Rules:

* product meta-strategy, exact oracle: one best response per player (all in one compiled call);
* product meta-strategy, other oracles: ``num_new`` policies per player, each started from a policy
  chosen by the selector;
* rectified: for every policy with positive mass one response to the opponents it beats or ties,
  weights renormalised (Balduzzi et al. 2019, arXiv 1901.08106); where none of these is new for any player,
  which would repeat for ever, one response per player to the whole mixture (ours);
* correlated meta-strategy: one response per player (CCE) or per recommended policy (CE); only
  responses with positive gain are kept (Marris et al. 2021, arXiv 2106.09435).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from equilibria.agents.solvers.population.evaluation import recommendations
from equilibria.agents.solvers.population.meta_game import MetaStrategy
from equilibria.agents.solvers.population.oracle import ExactOracle, Oracle, OracleRequest
from equilibria.agents.solvers.population.plan_game import PlanMetaGame
from equilibria.games.extensive.kernels import gradient_rows
from equilibria.sim.errors import Unsupported
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray, IntArray

_MASS = 1e-12


@dataclass(frozen=True, slots=True)
class Expansion:
    """New policies of one iteration.

    Attributes:
        plans: Per player the new realisation plans [S_p].
        nash_conv: NashConv of the training meta-strategy (its CE or CCE gap for correlated ones); a
            lower bound when the oracle is not exact, in which case it says nothing about equilibrium.
        shortfall: [n] what the best new policy of each player earns less than an exact best response to
            the training meta-strategy; empty for exact oracles and rectified training.
    """

    plans: tuple[list[FloatArray], ...]
    nash_conv: float = field(default=np.inf)
    shortfall: FloatArray = field(default_factory=lambda: np.zeros(0))


def expand_product(
    meta: PlanMetaGame, sigma: MetaStrategy, oracle: Oracle, *, selector: str, num_new: int, seeds: SeedTree
) -> Expansion:
    """Return new policies against a product meta-strategy."""
    x = meta.mixture_plan(sigma.marginals)
    responder = oracle if isinstance(oracle, ExactOracle) else ExactOracle()
    plan, values, responses = responder.respond_all(meta, x)
    gap = float((responses - values).sum())
    off = meta.game.arrays.seq_off.astype(np.int64)
    if isinstance(oracle, ExactOracle) and selector != "rectified":
        return Expansion(tuple([plan[off[p] : off[p + 1]].copy()] for p in range(meta.players)), gap)
    plans: tuple[list[FloatArray], ...] = tuple([] for _ in range(meta.players))
    for p in range(meta.players):
        starts = select(selector, sigma.marginals[p], num_new, seeds.child("selector", p).generator())
        for number, start in enumerate(starts.tolist()):
            opponents, mixed = sigma.marginals, x
            if selector == "rectified":
                opponents = _rectified(meta, sigma, p, start)
                mixed = meta.mixture_plan(opponents)
            request = OracleRequest(
                meta=meta,
                player=p,
                sigma=sigma,
                opponents=opponents,
                x=mixed,
                start=start,
                seeds=seeds.child("oracle", p).child("number", number),
            )
            _append_new(plans[p], oracle.respond(request))
    if selector == "rectified" and all(_known(meta, p, own) for p, own in enumerate(plans)):
        plans = tuple([plan[off[p] : off[p + 1]].copy()] for p in range(meta.players))
    if oracle.exact or selector == "rectified":
        return Expansion(plans, gap)
    earned = [max(float(plan @ _gradient(meta, p, x)) for plan in own) for p, own in enumerate(plans)]
    return Expansion(plans, gap, responses - np.array(earned))


def expand_joint(
    meta: PlanMetaGame, sigma: MetaStrategy, oracle: Oracle, *, concept: str, tolerance: float
) -> Expansion:
    """Return new policies against a correlated meta-strategy.

    Raises:
        Unsupported: If the oracle is not exact.
    """
    if not isinstance(oracle, ExactOracle):
        raise Unsupported("correlated meta-solvers need the exact oracle; choose another meta-solver or oracle=None")
    plans: tuple[list[FloatArray], ...] = tuple([] for _ in range(meta.players))
    gap = 0.0
    for p in range(meta.players):
        for part in recommendations(meta, sigma, p, concept):
            plan, value = oracle.from_gradient(meta, p, part.gradient.copy())
            gain = value - part.value
            gap += part.weight * max(gain, 0.0)
            if gain > tolerance:
                _append_new(plans[p], plan)
    return Expansion(plans, gap)


def select(selector: str, mixture: FloatArray, count: int, rng: np.random.Generator) -> IntArray:
    """Return the policy indices that oracles start from.

    Args:
        selector: ``probabilistic`` draws from the mixture, ``uniform`` from all policies, ``top_k``
            takes the ``count`` most probable, ``exhaustive`` all, ``rectified`` all with positive mass.
        mixture: [k] meta-strategy of the player.
        count: Number of new policies (unused by ``exhaustive`` and ``rectified``).
        rng: Randomness of the first two.
    """
    k = mixture.shape[0]
    if selector == "exhaustive":
        return np.arange(k)
    if selector == "rectified":
        return np.flatnonzero(mixture > _MASS)
    if selector == "top_k":
        return np.argsort(-mixture, kind="stable")[:count]
    weights = mixture / mixture.sum() if selector == "probabilistic" else None
    return rng.choice(k, size=count, p=weights)


def _gradient(meta: PlanMetaGame, player: int, x: FloatArray) -> FloatArray:
    """Return what each own sequence [S_p] earns against plans x [S]."""
    a = meta.game.arrays
    g = np.empty(a.sequences)
    gradient_rows(a.rowptr, a.col, a.val, x, g, a.seq_off[player], a.seq_off[player + 1])
    return g[int(a.seq_off[player]) : int(a.seq_off[player + 1])]


def _rectified(meta: PlanMetaGame, sigma: MetaStrategy, player: int, policy: int) -> tuple[FloatArray, ...]:
    """Return the mixtures with the opponent's part restricted to policies that ``policy`` beats or ties."""
    other = 1 - player
    own = meta.payoffs()[player]
    against = own[policy] if player == 0 else own[:, policy]
    fair = 0.5 * (meta.constant_sum or 0.0)
    weights = np.where(against >= fair, sigma.marginals[other], 0.0)
    total = float(weights.sum())
    if total < _MASS:
        return sigma.marginals
    mixtures = list(sigma.marginals)
    mixtures[other] = weights / total
    return tuple(mixtures)


def _append_new(plans: list[FloatArray], plan: FloatArray) -> None:
    if not any(np.array_equal(plan, other) for other in plans):
        plans.append(plan)


def _known(meta: PlanMetaGame, player: int, plans: list[FloatArray]) -> bool:
    """Return whether every plan is in the population already, up to rounding."""
    population = meta.plans(player)
    return all(bool((np.abs(population - plan).max(axis=1) < 1e-12).any()) for plan in plans)


def policies(plans: tuple[list[FloatArray], ...]) -> Iterator[tuple[int, FloatArray]]:
    """Yield (player, plan) in the order in which policies are appended."""
    for p, own in enumerate(plans):
        for plan in own:
            yield p, plan
