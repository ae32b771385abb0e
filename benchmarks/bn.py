"""Neural Bayesian-network policies: time of an update against the product policy of the learning core.

The promise is a full graph in at most 2.5 times the time of the product policy (same worlds, samples and
widths); the ratio reported is product over Bayesian network, so 0.4 or more keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from equilibria.agents.bayesian_network.deep.learner import BNMAPPO
from equilibria.agents.bayesian_network.deep.settings import BNMAPPOSettings
from equilibria.agents.learning.learner import Learner
from equilibria.agents.learning.settings import PPOSettings
from equilibria.benchmarks.common import Row, medians
from equilibria.games.vector.aloha import Aloha
from equilibria.games.vector.coordination import CoordinationWorld
from equilibria.sim.seeds import SeedTree

SIZES: dict[str, Any] = {"activation": "relu", "values": "team"}


def rows(*, quick: bool = False) -> Iterator[Row]:
    """Yield one row per world and graph as it is measured."""
    rounds, budget = (3, 0.1) if quick else (5, 1.0)
    worlds: tuple[tuple[str, Callable[[], Any], dict[str, Any]], ...] = (
        (
            "coordination game, 3 agents, 32 worlds x 25, 5 epochs",
            lambda: CoordinationWorld(3),
            {"worlds": 32, "steps": 25, "epochs": 5, "minibatches": 1},
        ),
        (
            "Aloha, 10 agents, 128 worlds x 20, 4 epochs x 4",
            Aloha,
            {"worlds": 128, "steps": 20, "epochs": 4, "minibatches": 4},
        ),
    )
    for case, make, sizes in worlds:
        product = Learner(make(), PPOSettings(**sizes, **SIZES), seeds=SeedTree(1))
        graphs: tuple[Any, ...] = ("full",) if quick else ("empty", "full", "learned")
        learners = {
            dag: BNMAPPO(make(), BNMAPPOSettings(**sizes, **SIZES, dag=dag), seeds=SeedTree(1)) for dag in graphs
        }
        times = medians(
            {"product": product.step, **{dag: learner.step for dag, learner in learners.items()}},
            rounds=rounds,
            budget=budget,
        )
        for dag in graphs:
            yield Row(
                case=f"{case}: {dag} graph",
                ours=1e3 * times[dag],
                peer=1e3 * times["product"],
                peer_name="product policy",
                unit="ms/update",
                ratio=times["product"] / times[dag],
                target=0.4 if dag == "full" else None,
            )
