"""Experiment: learned teams leave a local equilibrium by fictitious cross-play, not by self-play, in 9 of 10 seeds."""

from __future__ import annotations

import numpy as np
import pytest

from equilibria.agents.solvers.fxp.deep.exploitability import team_probabilities
from equilibria.agents.solvers.fxp.deep.solver import DeepFXP
from equilibria.sim.scenario import load_plan
from equilibria.sim.seeds import SeedTree


def final_team(seed: int, method: str) -> np.ndarray:
    """Return the chance of action 0 of each member after the shipped scenario's run."""
    for member in load_plan("fxp_deep_climb").members():
        plan = member.plan()
        engine = plan.build()
        solver = engine._learners["all"]  # type: ignore[attr-defined]
        if solver.name == method:
            fresh = DeepFXP(solver.world, solver.settings, seeds=SeedTree(seed), budget=125, name=method)
            fresh.step(125)
            return team_probabilities(fresh.world, fresh.policy())[:, 0]
    raise AssertionError(f"the scenario has no member {method}")


@pytest.mark.slow
def test_fxp_ends_at_all_zeros_and_self_play_at_all_ones_in_nine_of_ten_seeds() -> None:
    fxp = [final_team(seed, "fxp_deep").min() > 0.9 for seed in range(10)]
    own = [final_team(seed, "sp_deep").max() < 0.1 for seed in range(10)]
    assert sum(fxp) >= 9
    assert sum(own) >= 9
