"""Build functions that scenarios reach through the registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from equilibria.agents.solvers.fxp.base import require_team_game
from equilibria.agents.solvers.fxp.cross_play import FXP
from equilibria.agents.solvers.fxp.population import TeamODO, TeamPSRO
from equilibria.agents.solvers.fxp.self_play import SelfPlay
from equilibria.agents.solvers.fxp.settings import (
    FXPSettings,
    Rule,
    SelfPlaySettings,
    TeamODOSettings,
    TeamPSROSettings,
)
from equilibria.sim.seeds import SeedTree


def fxp(settings: FXPSettings, *, game: Any, roles: Sequence[str], seeds: SeedTree, budget: int) -> FXP:
    """Build fictitious cross-play."""
    return FXP(require_team_game(game, "fxp"), settings)


def team_psro(settings: TeamPSROSettings, *, game: Any, roles: Sequence[str], seeds: SeedTree, budget: int) -> TeamPSRO:
    """Build PSRO with team best responses."""
    return TeamPSRO(require_team_game(game, "team_psro"), settings)


def team_odo(settings: TeamODOSettings, *, game: Any, roles: Sequence[str], seeds: SeedTree, budget: int) -> TeamODO:
    """Build online double oracle."""
    return TeamODO(require_team_game(game, "team_odo"), settings)


def _self_play(rule: Rule, settings: SelfPlaySettings, game: Any, seeds: SeedTree) -> SelfPlay:
    return SelfPlay(require_team_game(game, f"team_{rule}"), rule, settings, seeds=seeds)


def team_sp(settings: SelfPlaySettings, *, game: Any, roles: Sequence[str], seeds: SeedTree, budget: int) -> SelfPlay:
    """Build self-play."""
    return _self_play("sp", settings, game, seeds)


def team_fp(settings: SelfPlaySettings, *, game: Any, roles: Sequence[str], seeds: SeedTree, budget: int) -> SelfPlay:
    """Build fictitious play."""
    return _self_play("fp", settings, game, seeds)


def team_fsp(settings: SelfPlaySettings, *, game: Any, roles: Sequence[str], seeds: SeedTree, budget: int) -> SelfPlay:
    """Build fictitious self-play."""
    return _self_play("fsp", settings, game, seeds)


def team_replicator(
    settings: SelfPlaySettings, *, game: Any, roles: Sequence[str], seeds: SeedTree, budget: int
) -> SelfPlay:
    """Build independent replicator learners."""
    return _self_play("replicator", settings, game, seeds)


def team_mwu(settings: SelfPlaySettings, *, game: Any, roles: Sequence[str], seeds: SeedTree, budget: int) -> SelfPlay:
    """Build independent multiplicative-weights learners."""
    return _self_play("mwu", settings, game, seeds)


def team_forel(
    settings: SelfPlaySettings, *, game: Any, roles: Sequence[str], seeds: SeedTree, budget: int
) -> SelfPlay:
    """Build independent follow-the-regularised-leader learners."""
    return _self_play("forel", settings, game, seeds)


def team_rm(settings: SelfPlaySettings, *, game: Any, roles: Sequence[str], seeds: SeedTree, budget: int) -> SelfPlay:
    """Build independent regret-matching learners."""
    return _self_play("rm", settings, game, seeds)
