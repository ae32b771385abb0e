"""Exact joint distributions and returns of neural Bayesian-network policies on small cooperative games."""

from __future__ import annotations

import numpy as np

from equilibria.agents.bayesian_network.deep.policy import BNJointPolicy
from equilibria.agents.learning.torch_import import torch
from equilibria.games.vector.tabular import TabularTeamGame
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray


def joint_table(policy: BNJointPolicy, obs: torch.Tensor) -> FloatArray:
    """Return pi [S, A^N] of every joint action (agent 0 most significant) under the most likely graphs.

    Args:
        policy: The policy.
        obs: float32 [S, N, D] observations of every state.
    """
    states, n = len(obs), policy.agents
    joint = torch.from_numpy(np.indices((policy.actions,) * n).reshape(n, -1).T.astype(np.int64))
    with torch.no_grad():
        rows = obs.repeat_interleave(len(joint), dim=0)
        moves = joint.repeat(states, 1)
        heads = torch.log_softmax(policy.conditionals(rows, moves).log_probs.double(), dim=-1)  # sums to 1 in float64
        chances = heads.gather(-1, moves.unsqueeze(-1)).squeeze(-1).sum(dim=1).exp()
    return np.asarray(chances.view(states, len(joint)).numpy())


def exact_return(game: TabularTeamGame, joint: FloatArray) -> float:
    """Return J of a joint policy [S, A], by one linear solve.

    Raises:
        InvalidValue: If the table has another shape.
    """
    if joint.shape != game.rewards.shape:
        raise InvalidValue(f"the joint policy must have shape {game.rewards.shape}, got {joint.shape}")
    moves = np.einsum("sa,sak->sk", joint, np.broadcast_to(game.transition, (game.states, *game.transition.shape[1:])))
    value = np.linalg.solve(np.eye(game.states) - game.discount * moves, (joint * game.rewards).sum(axis=1))
    return float(game.start @ value)


def coordination_ratio(policy: BNJointPolicy, game: TabularTeamGame) -> float:
    """Return J / J* of a policy of the coordination game, whose agents all see the n bits of the state."""
    bits = torch.from_numpy(game.joint.astype(np.float32))
    obs = bits.unsqueeze(1).expand(-1, game.agents, -1).contiguous()
    return exact_return(game, joint_table(policy, obs)) / game.optimum()
