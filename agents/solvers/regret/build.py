"""Build functions of the regret minimisers, called when a run is built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from equilibria.agents.solvers.regret.history_solver import HistoryRegretMinimiser
from equilibria.agents.solvers.regret.methods import CLASSES
from equilibria.agents.solvers.regret.settings import RegretSettings
from equilibria.agents.solvers.regret.solver import RegretMinimiser
from equilibria.games.extensive.history import HistoryGame
from equilibria.sim.seeds import SeedTree

Built = RegretMinimiser | HistoryRegretMinimiser


def _builder(method: str) -> Callable[..., Built]:
    def build(
        settings: RegretSettings, *, game: Any, roles: tuple[str, ...], seeds: SeedTree, budget: int | None
    ) -> Built:
        """Build the solver of one run; the methods draw no random numbers."""
        if isinstance(game, HistoryGame):
            return HistoryRegretMinimiser(game, method, settings, budget=budget or None)
        return CLASSES[method](game, settings, budget=budget or None)

    return build


cfr = _builder("cfr")
cfr_plus = _builder("cfr_plus")
linear_cfr = _builder("linear_cfr")
dcfr = _builder("dcfr")
dcfr_plus = _builder("dcfr_plus")
pcfr_plus = _builder("pcfr_plus")
pdcfr_plus = _builder("pdcfr_plus")
hs_dcfr = _builder("hs_dcfr")
hs_pcfr_plus = _builder("hs_pcfr_plus")
vad_cfr = _builder("vad_cfr")
wop_cfr = _builder("wop_cfr")
aod_cfr = _builder("aod_cfr")
