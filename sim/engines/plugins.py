"""Descriptors of the engines."""

from __future__ import annotations

from equilibria.sim.plugin import Plugin

population = Plugin(
    kind="engine",
    name="population",
    summary="Compiled worlds of up to a hundred million agents, in periods",
    target="equilibria.sim.engines.population:build",
)

extensive = Plugin(
    kind="engine",
    name="extensive",
    summary="One solver that owns all roles of a finite game, in iterations",
    target="equilibria.sim.engines.extensive:build",
)

training = Plugin(
    kind="engine",
    name="training",
    summary="Learners in batches of worlds, in updates",
    target="equilibria.sim.engines.training:build",
)
