"""Search at one decision point: improve the blueprint there by one update of a learning algorithm.

1. Draw histories h from the belief P(h | infoset, blueprint).
2. For every action roll out from h with everybody following the blueprint; average the returns into q.
3. New policy at this infoset = update(blueprint, q); act from it.

With mirror descent the search is MDS (common payoffs), with magnetic mirror descent MMDS (two-player zero-sum).
Searching at every decision point with exact q is one global step of the learning algorithm.

Reference: Sokota, Farina, Wu, Hu, Wang, Kolter, Brown (2024), The update-equivalence framework for decision-time
planning, ICLR.  Cost: particles * actions * rollouts games from the infoset to the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from equilibria.agents.solvers.mirror.simplex import mmd_step
from equilibria.agents.solvers.search import kernels
from equilibria.agents.solvers.search.beliefs import BeliefModel, SearchTree
from equilibria.games.extensive.action_values import action_values
from equilibria.games.extensive.policy import BehaviouralPolicy
from equilibria.sim.errors import InvalidValue, did_you_mean
from equilibria.sim.types import FloatArray, UIntArray

Update: TypeAlias = Literal["md", "mmd"]
Act: TypeAlias = Literal["sample", "argmax"]
OnEmpty: TypeAlias = Literal["error", "blueprint"]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search found at one infoset.

    Attributes:
        action: Game's action id that was chosen.
        policy: [A] improved policy at the infoset.
        q: [A] estimated action values; zeros if the blueprint was kept.
        particles: Number of belief particles used; 0 for exact values or an empty belief.
    """

    action: int
    policy: FloatArray
    q: FloatArray
    particles: int


def search(
    tree: SearchTree,
    blueprint: BehaviouralPolicy,
    player: int,
    infostate: str,
    *,
    rng: np.random.Generator,
    belief: Literal["exact", "rejection"] | BeliefModel = "exact",
    n_particles: int = 10,
    rollouts_per_action: int = 1,
    update: Update = "mmd",
    eta: float = 1.0,
    alpha: float = 0.05,
    act: Act = "sample",
    on_empty_belief: OnEmpty = "error",
    max_tries: int = 100_000,
) -> SearchResult:
    """Search at one infoset.

    Args:
        tree: Histories of the game; build it once.
        blueprint: Policy that everybody follows in rollouts.
        player: Who moves.
        infostate: Where.
        rng: Source of all randomness of this search.
        belief: ``"exact"`` (Bayes), ``"rejection"`` (play until games pass through), or a belief model.
        n_particles: Belief particles; 0 with ``belief="exact"`` computes exact action values.
        rollouts_per_action: Rollouts per particle and action.
        update: ``"md"`` (mirror descent, alpha is ignored) or ``"mmd"`` (uniform magnet, temperature alpha).
        eta: Step size, > 0.
        alpha: Temperature, >= 0.
        act: Draw from the improved policy, or take its most likely action.
        on_empty_belief: What to do when the infoset cannot be reached: raise, or keep the blueprint.
        max_tries: Games that rejection may play.

    Raises:
        InvalidValue: If an argument is out of range, or no particle exists and ``on_empty_belief="error"``.
    """
    _check(player, tree, infostate, n_particles=n_particles, rollouts=rollouts_per_action)
    for name, value, known in (("update", update, ("md", "mmd")), ("act", act, ("sample", "argmax"))):
        if value not in known:
            raise InvalidValue(f"unknown {name} {value!r}; {did_you_mean(value, known)}")
    infoset = tree.game.index[player, infostate]
    arrays = tree.game.arrays
    actions = slice(int(arrays.first[infoset]), int(arrays.first[infoset] + arrays.nact[infoset]))
    current = blueprint.probs[actions]
    if n_particles == 0 and belief == "exact":
        q, found = _exact(tree, blueprint, infoset, actions)
        used = 0
    else:
        particles = _particles(tree, blueprint, infoset, belief, n_particles, rng, max_tries)
        used, found = int(particles.size), particles.size > 0
        q = _estimate(tree, blueprint, infoset, particles, rollouts_per_action, rng) if found else np.zeros(0)
    if not found:
        if on_empty_belief != "blueprint":
            raise InvalidValue(f"infoset {infostate!r} of player {player} cannot be reached under the blueprint")
        return SearchResult(_choose(tree, infoset, current, act, rng), current, np.zeros(current.size), 0)
    improved = mmd_step(current, q, eta=eta, alpha=alpha if update == "mmd" else 0.0)
    return SearchResult(_choose(tree, infoset, improved, act, rng), improved, q, used)


def _check(player: int, tree: SearchTree, infostate: str, *, n_particles: int, rollouts: int) -> None:
    if (player, infostate) not in tree.game.index:
        raise InvalidValue(f"player {player} of {tree.game.name!r} has no infoset {infostate!r}")
    if n_particles < 0 or rollouts < 1:
        raise InvalidValue(f"n_particles must be >= 0 and rollouts_per_action >= 1, got {n_particles!r}, {rollouts!r}")


def _exact(tree: SearchTree, blueprint: BehaviouralPolicy, infoset: int, actions: slice) -> tuple[FloatArray, bool]:
    with np.errstate(divide="ignore"):
        values = action_values(tree.game, np.log(blueprint.probs))
    return values.q[actions], float(values.mass[actions][0]) > 0.0


def _particles(
    tree: SearchTree,
    blueprint: BehaviouralPolicy,
    infoset: int,
    belief: Literal["exact", "rejection"] | BeliefModel,
    count: int,
    rng: np.random.Generator,
    max_tries: int,
) -> UIntArray:
    if callable(belief):
        player = int(tree.owner[infoset])
        return tree.check_particles(infoset, belief(player, tree.game.infostates[infoset], count))
    if belief == "rejection":
        return tree.rejection(infoset, blueprint.probs, count, rng, max_tries=max_tries)
    if belief != "exact":
        raise InvalidValue(f"belief must be 'exact', 'rejection' or a function, got {belief!r}")
    histories, probabilities = tree.belief(infoset, blueprint.probs)
    if not probabilities.any():
        return np.zeros(0, dtype=np.uint32)
    weights, drawn = np.zeros(tree.histories.nodes), np.zeros(count, dtype=np.uint32)
    weights[histories] = probabilities
    kernels.sample_histories(histories, weights, 1.0, rng.random(), drawn)
    return drawn


def _estimate(
    tree: SearchTree,
    blueprint: BehaviouralPolicy,
    infoset: int,
    particles: UIntArray,
    rollouts: int,
    rng: np.random.Generator,
) -> FloatArray:
    h, q = tree.histories, np.zeros(int(tree.game.arrays.nact[infoset]))
    key = np.uint64(rng.integers(0, 2**63))
    kernels.values_from_particles(
        particles, rollouts, int(tree.owner[infoset]), h.child, h.sibling, h.chance, h.player, h.edge, h.utility,
        blueprint.probs, key, 0, infoset, 0, q, 0,
    )  # fmt: skip
    return q


def _choose(tree: SearchTree, infoset: int, policy: FloatArray, act: str, rng: np.random.Generator) -> int:
    k = int(policy.argmax()) if act == "argmax" else int(rng.choice(policy.size, p=policy / policy.sum()))
    return tree.game.actions[infoset][k]
