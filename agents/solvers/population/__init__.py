"""Population solvers: PSRO, its meta-games, meta-solvers and oracles.

Public names are resolved on first use, so importing this package compiles and loads nothing heavy.
"""

from __future__ import annotations

import importlib
from typing import Any

_PACKAGE = "equilibria.agents.solvers.population"
_PUBLIC: dict[str, str] = {
    "PSRO": f"{_PACKAGE}.psro:PSRO",
    "PSROSettings": f"{_PACKAGE}.settings:PSROSettings",
    "DenseMetaGame": f"{_PACKAGE}.meta_game:DenseMetaGame",
    "PlanMetaGame": f"{_PACKAGE}.plan_game:PlanMetaGame",
    "MetaStrategy": f"{_PACKAGE}.meta_game:MetaStrategy",
    "META_SOLVERS": f"{_PACKAGE}.meta_solvers.registry:META_SOLVERS",
    "meta_solver": f"{_PACKAGE}.meta_solvers.registry:meta_solver",
    "solve_meta_game": f"{_PACKAGE}.meta_solvers.registry:solve_meta_game",
    "OracleRequest": f"{_PACKAGE}.oracle:OracleRequest",
    "ExactOracle": f"{_PACKAGE}.oracle:ExactOracle",
    "verify_symmetric": f"{_PACKAGE}.symmetric:verify_symmetric",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        module, _, attribute = _PUBLIC[name].partition(":")
        return getattr(importlib.import_module(module), attribute)
    raise AttributeError(f"module {_PACKAGE!r} has no attribute {name!r}")
