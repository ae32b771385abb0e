"""The one place that imports torch, so that its absence has a name."""

from __future__ import annotations

from equilibria.sim.errors import MissingExtra

try:
    import torch
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise MissingExtra("the learning core's heads and losses", "learn") from error

__all__ = ["torch"]
