"""Registry descriptor of the tournament solver; imports nothing heavy."""

from __future__ import annotations

from equilibria.agents.solvers.tournament.settings import TournamentSettings
from equilibria.sim.plugin import Plugin

tournament = Plugin(
    kind="agent",
    name="tournament",
    summary="Round-robin tournament of an iterated game; reports where replicator dynamics lead from equal shares",
    target="equilibria.agents.solvers.tournament.solver:build",
    settings=TournamentSettings,
    engines=("extensive",),
    forms=("iterated",),
    reference="Axelrod (1984), The evolution of cooperation; Taylor and Jonker (1978), eq. 2",
    produces="solver",
)
