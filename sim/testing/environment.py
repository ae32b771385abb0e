"""Conformance of PettingZoo environments over full episodes.

PettingZoo's own seed test for parallel environments looks at one step; here two copies of the
environment play whole episodes side by side and must agree at every step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from equilibria.sim.testing.states import demand


def check_env(make: Callable[[], Any], *, seed: int = 1, episodes: int = 2, max_steps: int = 2000) -> None:
    """Check a PettingZoo environment, parallel or turn-based (AEC).

    Args:
        make: Builds a fresh environment.
        seed: First reset seed; episode e uses ``seed + e``.
        episodes: Full episodes to play.
        max_steps: Steps after which an episode counts as endless.

    Raises:
        PluginError: If the two copies differ, values leave their spaces, or an episode does not end.
    """
    left, right = make(), make()
    turn_based = hasattr(left, "agent_iter")
    for episode in range(episodes):
        # actions come from one generator, so only the environments can make a difference
        rng = np.random.default_rng((seed, episode))
        play = _play_turns if turn_based else _play_parallel
        play(left, right, seed + episode, rng, max_steps)
    left.close()
    right.close()


def _choose(env: Any, agent: str, observation: Any, info: Mapping[str, Any], rng: np.random.Generator) -> Any:
    """Draw a legal action."""
    space = env.action_space(agent)
    mask = info.get("action_mask")
    if mask is None and isinstance(observation, Mapping):
        mask = observation.get("action_mask")
    if mask is not None and hasattr(space, "n"):
        legal = np.flatnonzero(np.asarray(mask))
        demand(len(legal) > 0, f"agent {agent!r} has no legal action")
        return int(rng.choice(legal)) + int(getattr(space, "start", 0))
    space.seed(int(rng.integers(2**31)))
    return space.sample()


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return set(left) == set(right) and all(_equal(left[k], right[k]) for k in left)
    if isinstance(left, tuple | list) and isinstance(right, tuple | list):
        return len(left) == len(right) and all(map(_equal, left, right))
    a, b = np.asarray(left), np.asarray(right)
    return a.shape == b.shape and a.dtype == b.dtype and bool(np.array_equal(a, b, equal_nan=a.dtype.kind == "f"))


def _demand_equal(left: Any, right: Any, what: str, step: int) -> None:
    demand(_equal(left, right), f"two environments with one seed and equal actions differ in {what} at step {step}")


def _play_parallel(left: Any, right: Any, seed: int, rng: np.random.Generator, max_steps: int) -> None:
    (seen, infos), (other, _) = left.reset(seed=seed), right.reset(seed=seed)
    _demand_equal(seen, other, "observations", 0)
    demand(set(seen) == set(left.agents), "reset must return an observation for each agent")
    for step in range(1, max_steps + 1):
        if not left.agents:
            return
        for agent in left.agents:
            demand(left.observation_space(agent).contains(seen[agent]), f"{agent!r}: observation is outside its space")
        actions = {agent: _choose(left, agent, seen[agent], infos.get(agent, {}), rng) for agent in left.agents}
        playing = set(left.agents)
        ours, theirs = left.step(actions), right.step(dict(actions))
        names = ("observations", "rewards", "terminations", "truncations")
        for mine, yours, name in zip(ours[:4], theirs[:4], names, strict=True):
            _demand_equal(mine, yours, name, step)
            demand(set(mine) == playing, f"step must return {name} for each agent that was alive, got {sorted(mine)}")
        demand(left.agents == right.agents, f"the agents alive differ at step {step}")
        seen, rewards, ended, cut, infos = ours
        demand(all(np.isfinite(r) for r in rewards.values()), f"rewards must be finite at step {step}")
        gone = {agent for agent in playing if ended[agent] or cut[agent]}
        demand(set(left.agents) == playing - gone, "agents that end must leave `agents`, and only they")
    demand(not left.agents, f"the episode did not end within {max_steps} steps")


def _play_turns(left: Any, right: Any, seed: int, rng: np.random.Generator, max_steps: int) -> None:
    left.reset(seed=seed)
    right.reset(seed=seed)
    for step in range(1, max_steps + 1):
        if not left.agents:
            break
        demand(left.agents == right.agents, f"the agents alive differ at step {step}")
        agent = left.agent_selection
        demand(agent == right.agent_selection, f"the agent to move differs at step {step}")
        ours, theirs = left.last(), right.last()
        for mine, yours, name in zip(ours[:4], theirs[:4], ("observation", "reward", "end", "cut"), strict=True):
            _demand_equal(mine, yours, name, step)
        seen, reward, ended, cut, info = ours
        demand(bool(np.isfinite(reward)), f"the reward of {agent!r} must be finite, got {reward!r}")
        if ended or cut:
            action = None
        else:
            demand(left.observation_space(agent).contains(seen), f"{agent!r}: observation is outside its space")
            action = _choose(left, agent, seen, info, rng)
        left.step(action)
        right.step(action)
    demand(not left.agents, f"the episode did not end within {max_steps} steps")
    demand(left.agents == right.agents, "the agents alive differ at the end")
