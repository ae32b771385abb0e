"""Meta representations for agents: one set of latent policies for all populations; names are resolved on first use.

Needs the extra ``learn`` (torch).
"""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "MRA": "solver",
    "MRASettings": "settings",
    "Adapted": "adaptation",
    "LatentPolicy": "policy",
    "Model": "model",
    "information": "information",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.agents.meta_representation", _PUBLIC)
