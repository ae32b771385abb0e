"""BN-MAPPO: Bayesian-network joint policies with neural conditionals and learned graphs; needs torch (extra ``learn``)."""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "BNJointPolicy": "policy",
    "BNMAPPO": "learner",
    "BNMAPPOSettings": "settings",
    "DagSampler": "sampler",
    "GraphSettings": "settings",
    "coordination_ratio": "exact",
    "joint_table": "exact",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.agents.bayesian_network.deep", _PUBLIC)
