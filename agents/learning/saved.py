"""Learned policies that come back: from a run directory as players, and to and from safetensors files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from equilibria.agents.learning.learner import Learner
from equilibria.agents.learning.players import FrozenPlayer
from equilibria.agents.learning.safetensors import read_tensors, write_tensors
from equilibria.agents.learning.saved_settings import FromRunSettings
from equilibria.agents.learning.spaces import spaces_of
from equilibria.agents.learning.tensors import load_module, module_state
from equilibria.sim import registry
from equilibria.sim.contract import State
from equilibria.sim.errors import CorruptRun, Unsupported
from equilibria.sim.seeds import SeedTree
from equilibria.sim.store.checkpoint import Checkpoint, checkpoints
from equilibria.sim.store.reader import open_run


def from_run(
    settings: FromRunSettings, *, game: Any, roles: Sequence[str], seeds: SeedTree, budget: int
) -> FrozenPlayer:
    """Build a player from the last checkpoint of a training run.

    A policy of several agents can take a single role too: the agent of that role is taken out of it.

    Raises:
        Unsupported: If the run has no such learner, or its policy does not fit the roles.
    """
    learner = load_learner(settings.run, game, role=settings.role)
    wanted = spaces_of(game, "all" if list(roles) == ["all"] else list(roles))
    policy = learner.actor
    if list(wanted.columns) != list(learner.spaces.columns):
        place = [i for i, c in enumerate(learner.spaces.columns) if c in wanted.columns]
        single = getattr(policy, "single", None)
        if len(wanted.columns) != 1 or len(place) != 1 or single is None:
            names = game.names()
            held = ", ".join(names[c] for c in learner.spaces.columns)
            raise Unsupported(f"the policy of {settings.run} plays {held}, not {', '.join(roles)}")
        policy = single(place[0])
    return FrozenPlayer(policy, int(seeds.key()) >> 1, greedy=settings.greedy)


def load_learner(run: str | Path, game: Any, *, role: str = "") -> Learner:
    """Return a learner with the weights and return statistics of a run's last checkpoint; its worlds are fresh.

    Args:
        run: Run directory.
        game: The game to play it in; observations and actions must be those of the run.
        role: Role of the learner in that run; may be empty when only one learned.

    Raises:
        Unsupported: If the run trained no such learner.
        CorruptRun: If no checkpoint can be read.
        InvalidValue: If the networks do not fit the game; names the first differing tensor.
    """
    opened = open_run(run)
    state = _last_state(Path(run))
    entries = opened.manifest["resolved"]["agents"]
    held = {e["role"]: e for e in entries if state.part(f"learner/{e['role']}").arrays}
    if role not in held and (role or len(held) != 1):
        raise Unsupported(f"{run} has no learner for role {role!r}; learners: {', '.join(held) or 'none'}")
    name, entry = (role, held[role]) if role else next(iter(held.items()))
    plugin = registry.find("agent", entry["use"])
    settings = plugin.settings.model_validate_json(json.dumps(entry["params"]), strict=True)
    learner: Learner = plugin.load()(settings, game=game, roles=(name,), seeds=SeedTree(opened.seed), budget=0)
    part = state.part(f"learner/{name}")
    load_module(learner.actor, part.part("actor").arrays, "policy")
    load_module(learner.critic, part.part("critic").arrays, "critic")
    learner.updates.norm.load(part.part("norm"))
    return learner


def export_policy(learner: Learner, path: str | Path) -> None:
    """Write the policy's tensors as a safetensors file, with game, settings and updates as notes."""
    notes = {
        "game": str(learner.game.name),
        "settings": learner.settings.model_dump_json(),
        "updates": str(learner.iteration),
    }
    write_tensors(path, module_state(learner.actor).arrays, notes=notes)


def import_policy(learner: Learner, path: str | Path) -> None:
    """Load tensors written by ``export_policy`` into the policy.

    Raises:
        InvalidValue: If the file is damaged or belongs to another network; names the first differing tensor.
    """
    load_module(learner.actor, read_tensors(path)[0], "policy")


def _last_state(run: Path) -> State:
    failed: CorruptRun | None = None
    for found in checkpoints(run):
        if isinstance(found, Checkpoint):
            return found.engine
        failed = found
    raise failed or CorruptRun(f"{run}: has no checkpoint to take a policy from")
