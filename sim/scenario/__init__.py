"""Scenarios: YAML files to checked, hashed plans.

``load_plan`` is the door; names are resolved on first use, importing this package is cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equilibria.sim.scenario.plan import Member, Plan, Sweep, load_plan, plan_from_bytes
    from equilibria.sim.scenario.schema import json_schema

__all__ = ["Member", "Plan", "Sweep", "json_schema", "load_plan", "plan_from_bytes"]


def __getattr__(name: str) -> Any:
    if name == "json_schema":
        return importlib.import_module("equilibria.sim.scenario.schema").json_schema
    if name in __all__:
        return getattr(importlib.import_module("equilibria.sim.scenario.plan"), name)
    raise AttributeError(f"module 'equilibria.sim.scenario' has no attribute {name!r}")
