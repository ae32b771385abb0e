"""Body-reservoir governance: an echo-state agent for repeated games."""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "BodyReservoir": "solver",
    "Body": "body",
    "make_body": "body",
    "self_consistent_state": "body",
    "gaussian_divergence": "divergence",
    "neighbour_divergence": "divergence",
    "brg_player": "axelrod_player",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.agents.reservoir", _PUBLIC)
