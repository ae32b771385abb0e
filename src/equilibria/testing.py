"""Conformance suites for plugin authors; see ``equilibria.sim.testing``."""

from __future__ import annotations

from equilibria.sim.testing import (
    PROBES,
    Recording,
    check_engine,
    check_env,
    check_game,
    check_mechanism,
    check_solver,
)

__all__ = ["PROBES", "Recording", "check_engine", "check_env", "check_game", "check_mechanism", "check_solver"]
