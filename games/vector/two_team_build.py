"""Build functions that scenarios reach through the registry."""

from __future__ import annotations

from equilibria.games.vector.two_team_settings import MiniBattleSettings
from equilibria.games.vector.two_teams import MiniBattle
from equilibria.sim.seeds import SeedTree


def mini_battle(settings: MiniBattleSettings, *, seeds: SeedTree) -> MiniBattle:
    """Build the mini battle."""
    return MiniBattle(
        settings.members,
        size=settings.size,
        start=settings.start,
        health=settings.health,
        horizon=settings.horizon,
        hit=settings.hit,
        kill=settings.kill,
        win=settings.win,
        check_actions=False,
    )
