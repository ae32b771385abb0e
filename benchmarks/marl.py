"""Compiled multi-agent worlds, the exact Bayesian-network policy gradient, and the learning core.

Peers of simple spread: mpe2's ``simple_spread_v3`` (Python) and JaxMARL's (compiled by XLA), when they are
installed.  Peer of training: the same update written with torch's own layers and losses.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from equilibria.agents.bayesian_network.settings import BNSettings
from equilibria.agents.bayesian_network.solver import BNPolicyGradient
from equilibria.benchmarks.common import Row, medians
from equilibria.games.adapters.pettingzoo import parallel_env
from equilibria.games.vector.aloha import Aloha
from equilibria.games.vector.base import VectorWorld
from equilibria.games.vector.coordination import CoordinationWorld
from equilibria.games.vector.particles import ResourceOccupation
from equilibria.games.vector.spread import SimpleSpread
from equilibria.games.vector.tabular import coordination_game

BATCH, STEPS = 1024, 50
UNIT = "world steps/s"


def rows(*, quick: bool = False) -> Iterator[Row]:
    """Yield one row per case as it is measured."""
    rounds, budget = (3, 0.05) if quick else (5, 0.3)
    yield _spread(rounds, budget)
    if importlib.util.find_spec("jaxmarl") is not None:
        yield _compiled_spread(rounds, budget)
    for case, world, target in (
        ("Aloha, 1024 worlds", Aloha(), 3e6),
        ("coordination game with 5 agents, 1024 worlds", CoordinationWorld(5), 1e7),
        ("resource occupation, 12 agents, 1024 worlds", ResourceOccupation(12), 2e5 / 12),
    ):
        yield Row(case=case, ours=_rate({"ours": _batch(world)}, rounds, budget)["ours"], unit=UNIT, target=target)
    yield _view(rounds, budget)
    yield _gradient(rounds, budget)
    if importlib.util.find_spec("torch") is not None:
        yield from importlib.import_module("equilibria.benchmarks.training").training_rows(rounds, budget)


def _batch(world: VectorWorld) -> Callable[[], object]:
    """Return a call that does ``STEPS`` steps of ``BATCH`` worlds under fixed random actions."""
    state = world.reset(1, BATCH)
    rng = np.random.default_rng(0)
    actions = {role: rng.integers(0, spec.actions, (BATCH, spec.count)) for role, spec in world.roles.items()}

    def play() -> None:
        for _ in range(STEPS):
            world.step(state, actions)

    return play


def _rate(functions: dict[str, Callable[[], object]], rounds: int, budget: float) -> dict[str, float]:
    times = medians(functions, rounds=rounds, budget=budget)
    return {name: (BATCH * STEPS if name == "ours" else STEPS / 2) / t for name, t in times.items()}


def _spread(rounds: int, budget: float) -> Row:
    case = "simple spread, 3 agents, 1024 worlds"
    functions = {"ours": _batch(SimpleSpread())}
    if importlib.util.find_spec("mpe2") is None:
        ours = _rate(functions, rounds, budget)["ours"]
        return Row(case=case, ours=ours, unit=UNIT, target=8e6, note="mpe2 is not installed, so there is no ratio")
    env = importlib.import_module("mpe2.simple_spread_v3").parallel_env(N=3, max_cycles=25)
    rates = _rate({**functions, "peer": _episode(env)}, rounds, budget)
    return Row(
        case=case,
        ours=rates["ours"],
        peer=rates["peer"],
        peer_name=f"mpe2 {importlib.metadata.version('mpe2')} (Python)",
        unit=UNIT,
        ratio=rates["ours"] / rates["peer"],
        target=2000.0,
    )


def _compiled_spread(rounds: int, budget: float) -> Row:
    """Compare with JaxMARL's worlds, stepped with their resets inside one compiled loop."""
    jax = importlib.import_module("jax")
    env = importlib.import_module("jaxmarl").make("MPE_simple_spread_v3")
    chosen = np.random.default_rng(0).integers(0, 5, (BATCH, 3))
    actions = {name: jax.numpy.asarray(chosen[:, i]) for i, name in enumerate(env.agents)}
    keys = jax.random.split(jax.random.PRNGKey(0), BATCH)
    worlds = {"state": jax.vmap(env.reset)(keys)[1]}

    def one(state: Any, key: Any) -> tuple[Any, Any]:
        seen, state, paid, _, _ = jax.vmap(env.step)(jax.random.split(key, BATCH), state, actions)
        return state, sum(x.sum() for x in (*seen.values(), *paid.values()))

    loop = jax.jit(lambda state, key: jax.lax.scan(one, state, jax.random.split(key, STEPS)))

    def peer() -> None:
        worlds["state"], total = loop(worlds["state"], keys[0])
        total.block_until_ready()

    times = medians({"ours": _batch(SimpleSpread()), "peer": peer}, rounds=rounds, budget=budget)
    return Row(
        case="simple spread, 3 agents, 1024 worlds, against XLA",
        ours=BATCH * STEPS / times["ours"],
        peer=BATCH * STEPS / times["peer"],
        peer_name=f"JaxMARL {importlib.metadata.version('jaxmarl')}, jax {jax.__version__}",
        unit=UNIT,
        ratio=times["peer"] / times["ours"],
        target=12.0,
        note="CPU time; hold XLA to one core (taskset -c 0) for a fair number",
    )


def _episode(env: Any) -> Callable[[], object]:
    """Return a call that plays one episode of 25 steps."""

    def play() -> None:
        env.reset(seed=1)
        while env.agents:
            env.step(dict.fromkeys(env.agents, 1))

    return play


def _view(rounds: int, budget: float) -> Row:
    rates = _rate({"view": _episode(parallel_env(SimpleSpread()))}, rounds, budget)
    return Row(case="simple spread behind the PettingZoo view", ours=rates["view"], unit=UNIT, target=30_000.0)


def _gradient(rounds: int, budget: float) -> Row:
    solver = BNPolicyGradient(coordination_game(5, start="published"), BNSettings(dag="full"))
    time = medians({"ours": lambda: solver.step(100)}, rounds=rounds, budget=budget)["ours"]
    return Row(
        case="exact Bayesian-network gradient, 5 agents, full graph",
        ours=time * 1e4,
        unit="us/iteration",
        target=1837.0,
        note="49 starts x 2000 iterations in 180 s are 1837 us per iteration",
    )
