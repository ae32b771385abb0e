"""Experiment: how hard learned teams are to exploit in a mini battle: FXP, self-play, fictitious self-play, PSRO.

Numbers go to the log (``--log-file``, ``--log-file-level=INFO``).
"""

from __future__ import annotations

import logging
from functools import cache

import numpy as np
import pytest

from equilibria.agents.learning.players import UniformPlayer
from equilibria.agents.learning.policies import JointPolicy
from equilibria.agents.solvers.fxp.deep.archive import COUNTER, MAIN
from equilibria.agents.solvers.fxp.deep.exploitability import trained_exploitability
from equilibria.agents.solvers.fxp.deep.matches import round_robin
from equilibria.agents.solvers.fxp.deep.settings import DeepFXPSettings
from equilibria.agents.solvers.fxp.deep.solver import DeepFXP
from equilibria.games.analysis.ratings import bradley_terry
from equilibria.games.vector.two_teams import TwoTeamWorld
from equilibria.sim.scenario import load_plan
from equilibria.sim.seeds import SeedTree

SEEDS = range(21, 26)
"""Fresh: settings were chosen on others."""
MATCHES, HUNT = 64, 20
_log = logging.getLogger(__name__)


def trained(seed: int) -> dict[str, DeepFXP]:
    """Return the shipped scenario's solvers at the end of their runs."""
    done = {}
    for member in load_plan("fxp_deep_battle").members():
        plan = member.plan()
        solver = plan.build()._learners["all"]  # type: ignore[attr-defined]
        budget = plan.resolved["run"]["budget"]
        fresh = DeepFXP(
            solver.world, solver.settings, seeds=SeedTree(seed).child(solver.name), budget=budget, name=solver.name
        )
        fresh.step(budget)
        done[solver.name] = fresh
    return done


def hunter(world: TwoTeamWorld, settings: DeepFXPSettings, seeds: SeedTree) -> JointPolicy:
    """Return a team that has learned to hunt a random one; responses start from it, since fresh ones hardly ever meet a foe."""
    prey = UniformPlayer(world.roles["blue"].actions, seeds.child("prey").integer())
    return trained_exploitability(world, prey, settings, updates=HUNT, episodes=64, seeds=seeds).team


@cache
def measured(seed: int) -> dict[str, tuple[float, float]]:
    """Return (share of wins, gain) by target and start of the response, and (Elo rating, 0) by ``elo`` and team."""
    done, seeds = trained(seed), SeedTree(seed).child("responses")
    found: dict[str, tuple[float, float]] = {}
    world, own = done["sp_deep"].world, done["sp_deep"].settings
    fxp = done["fxp_deep"].archive
    starts = {"hunter": hunter(world, own, seeds.child("hunter")), "counter": fxp.teams[int(fxp.places(COUNTER)[-1])]}
    targets = {name: (name, name == "psro_deep") for name in done} | {"fxp_deep mixture": ("fxp_deep", True)}
    for target, (name, whole) in targets.items():
        player, _ = done[name].target(seeds.child(target).integer(), whole=whole)
        for kind, start in starts.items():
            gain = trained_exploitability(
                world, player, own, updates=own.certificate_updates, episodes=own.certificate_episodes,
                seeds=seeds.child(f"{kind} to {target}"), starts=(start,),
            )  # fmt: skip
            found[f"{target}, {kind}"] = gain.score, gain.gain
            _log.info(
                "%d %s, %s %.3f %.3f [%.3f, %.3f]", seed, target, kind, gain.score, gain.gain, gain.low, gain.high
            )
    for name, rating in ratings(done, seed).items():
        found[f"elo {name}"] = rating, 0.0
        _log.info("%d elo %s %.0f", seed, name, rating)
    return found


def ratings(done: dict[str, DeepFXP], seed: int) -> dict[str, float]:
    """Return Elo ratings of the last main teams and of two mixtures in the pool of all snapshots of all methods."""
    teams = [team for s in done.values() for team in s.archive.teams]
    sizes = [len(s.archive.teams) for s in done.values()]
    first = dict(zip(done, np.cumsum([0, *sizes[:-1]]), strict=True))
    table = round_robin(done["sp_deep"].world, teams, episodes=MATCHES, seeds=SeedTree(seed).child("elo")).wins
    found = {name: int(first[name] + s.archive.places(MAIN)[-1]) for name, s in done.items()}
    for name in ("fxp_deep", "psro_deep"):  # a mixture's results are its teams', weighted
        mine = slice(first[name], first[name] + len(done[name].archive.teams))
        row = np.zeros(len(table))
        row[: len(teams)] = done[name].meta_strategy() @ table[mine, : len(teams)]
        games = np.where(np.arange(len(table)) < len(teams), MATCHES, 0)
        row[mine], games[mine] = 0, 0
        found[f"{name} mixture"] = len(table)
        table = np.block([[table, (games - row)[:, None]], [row[None], np.zeros((1, 1))]])
    rated = bradley_terry(table, prior=1.0).rating
    return {name: float(rated[place]) for name, place in found.items()}


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_responses_are_trained_to_all_methods(seed: int) -> None:
    found = measured(seed)
    for name, (score, _) in found.items():
        if not name.startswith("elo"):
            assert 0.3 < score < 1.0
    assert found["elo fxp_deep"][0] > 1000
