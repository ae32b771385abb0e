"""Build functions of the robust solvers."""

from __future__ import annotations

from typing import Any

from equilibria.agents.robust.bandit import Exp3IXSolver
from equilibria.agents.robust.deep_settings import DeepIWOCSSettings
from equilibria.agents.robust.designer import Designer
from equilibria.agents.robust.iwocs import IWOCS
from equilibria.agents.robust.settings import DesignerSettings, EnsembleSettings, Exp3IXSettings, IWOCSSettings
from equilibria.games.robust.models import ModelSet
from equilibria.sim.seeds import SeedTree


def iwocs(settings: IWOCSSettings, *, game: Any, roles: Any, seeds: SeedTree, budget: int) -> IWOCS:
    """Build IWOCS."""
    return IWOCS(game, tolerance=settings.tolerance)


def iwocs_deep(settings: DeepIWOCSSettings, *, game: Any, roles: Any, seeds: SeedTree, budget: int) -> Any:
    """Build deep IWOCS; its learners use the game's discount factor."""
    from equilibria.agents.robust.deep import DeepIWOCS

    if isinstance(game, ModelSet):
        settings = settings.model_copy(update={"discount": game.discount})
    return DeepIWOCS(game, settings, seeds=seeds, budget=budget)


def exp3_ix(settings: Exp3IXSettings, *, game: Any, roles: Any, seeds: SeedTree, budget: int) -> Exp3IXSolver:
    """Build the bandit; its horizon is the run's budget."""
    return Exp3IXSolver(
        game, horizon=budget, rate=settings.rate, delta=settings.delta, first=settings.first, seeds=seeds
    )


def policy_ensemble(settings: EnsembleSettings, *, game: Any, roles: Any, seeds: SeedTree, budget: int) -> Any:
    """Build the ensemble; its horizon is the run's budget."""
    from equilibria.agents.learning.build import controlled
    from equilibria.agents.learning.saved import from_run
    from equilibria.agents.learning.saved_settings import FromRunSettings
    from equilibria.agents.robust.ensemble import PolicyEnsemble

    arms = [
        from_run(
            FromRunSettings(run=run, role=settings.role, greedy=settings.greedy),
            game=game, roles=roles, seeds=seeds.child("arm", i), budget=budget,
        )
        for i, run in enumerate(settings.runs)
    ]  # fmt: skip
    return PolicyEnsemble(
        game,
        arms,
        roles=controlled(roles),
        horizon=max(budget, 1),
        low=settings.low,
        high=settings.high,
        rate=settings.rate,
        episodes=settings.certificate_episodes,
        seeds=seeds,
    )


def designer(settings: DesignerSettings, *, game: Any, roles: Any, seeds: SeedTree, budget: int) -> Designer:
    """Build the designer; its schedules span the run's budget."""
    return Designer(
        game,
        steps=budget,
        rate=settings.rate,
        temperature=settings.temperature,
        final_temperature=settings.final_temperature,
        ignore_response=settings.ignore_response,
        samples=settings.samples,
        seeds=seeds,
    )
