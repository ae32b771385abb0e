"""What the controlled agents of a vector game see and may do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equilibria.sim.errors import Unsupported, unknown_name
from equilibria.sim.types import BoolArray, IntArray

Float32Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Parts:
    """Actions of P parts; agents with fewer ones leave the last ones unused.

    Attributes:
        continuous: Whether the parts are numbers; otherwise each has options.
        width: Most parts P of a controlled agent.
        used: bool [N, P] parts that an agent has.
        low: float32 [N, P] lower bounds, minus infinity for none.
        high: float32 [N, P] upper bounds, infinity for none.
        legal: bool [N, P, A] options of multi-discrete parts, one for an unused part; [N, P, 0] for continuous ones.
    """

    continuous: bool
    width: int
    used: BoolArray
    low: Float32Array
    high: Float32Array
    legal: BoolArray

    @property
    def options(self) -> int:
        """Most options A of a part."""
        return int(self.legal.shape[-1])


@dataclass(frozen=True, slots=True)
class Spaces:
    """Columns and sizes; agents are the columns of the world, all roles in order.

    Attributes:
        columns: int64 [N] columns of the controlled agents.
        everyone: Number of agents of the world.
        observation: Entries D of an observation.
        actions: Largest number of actions A of a controlled agent; 0 for actions of several parts.
        types: [N] number of the role of each controlled agent.
        legal: bool [N, A], ``None`` when all controlled agents have A actions.
        share: Entries of the central critic's input.
        bounds: Least and largest entry of an observation.
        parts: What actions of several parts consist of, ``None`` for single discrete actions.
    """

    columns: IntArray
    everyone: int
    observation: int
    actions: int
    types: tuple[int, ...]
    legal: BoolArray | None
    share: int
    bounds: tuple[float, float]
    parts: Parts | None = None

    @property
    def agents(self) -> int:
        """Number N of controlled agents."""
        return len(self.columns)

    @property
    def all_columns(self) -> bool:
        """Whether every agent of the world is controlled."""
        return self.agents == self.everyone

    def groups(self, share: str) -> tuple[int, ...]:
        """Return the weight group of each agent, empty for one group."""
        if share == "all" or self.agents < 2:
            return ()
        if share == "none":
            return tuple(range(self.agents))
        order = {kind: i for i, kind in enumerate(dict.fromkeys(self.types))}
        return tuple(order[kind] for kind in self.types) if len(order) > 1 else ()

    def normalises(self, choice: str, entries: int) -> bool:
        """Say whether inputs of this many entries are normalised."""
        if choice != "auto":
            return choice == "on"
        low, high = self.bounds
        return entries >= 3 and not (low >= 0 and high <= 1)


def spaces_of(game: Any, controlled: Sequence[str] | IntArray | str = "all") -> Spaces:
    """Return the spaces of the controlled agents.

    Args:
        game: A vector game.
        controlled: ``"all"``, role names, or columns.

    Raises:
        UnknownName: If a role does not exist.
        Unsupported: If the game is no vector game, or roles have different kinds of actions.
    """
    roles = getattr(game, "roles", None)
    if not isinstance(roles, dict) or not hasattr(game, "observe"):
        raise Unsupported(f"learners need a vector game (batched worlds); {type(game).__name__} is none")
    counts = [spec.count for spec in roles.values()]
    kinds = np.repeat(np.arange(len(counts)), counts)
    columns = _columns(roles, kinds, controlled)
    specs = list(roles.values())
    sizes = [specs[kinds[c]].actions for c in columns]
    parts = _parts(game.name, [specs[kinds[c]] for c in columns]) if min(sizes) < 1 else None
    entries, actions = int(np.prod(specs[0].observation)), max(sizes)
    legal = None if min(sizes) == actions else np.arange(actions)[None] < np.array(sizes)[:, None]
    state_size = getattr(game, "global_state_size", 0) or sum(counts) * entries
    return Spaces(
        columns, len(kinds), entries, actions, tuple(int(kinds[c]) for c in columns), legal, int(state_size),
        tuple(getattr(game, "bounds", (-np.inf, np.inf))), parts,
    )  # fmt: skip


def _parts(name: str, specs: list[Any]) -> Parts:
    """Return what the actions of the agents with these roles consist of."""
    continuous = not specs[0].choices
    if any(spec.actions or len(spec.action_shape) != 1 or continuous == bool(spec.choices) for spec in specs):
        raise Unsupported(f"{name}: the controlled agents must all have the same kind of actions")
    count, width = len(specs), max(spec.action_shape[0] for spec in specs)
    used = np.arange(width)[None] < np.array([spec.action_shape[0] for spec in specs])[:, None]
    low, high = np.full((count, width), -np.inf, np.float32), np.full((count, width), np.inf, np.float32)
    options = 0 if continuous else max(max(spec.choices) for spec in specs)
    legal = np.zeros((count, width, options), np.bool_)
    for i, spec in enumerate(specs):
        low[i, : len(spec.low)], high[i, : len(spec.high)] = spec.low, spec.high
        for j in range(width if not continuous else 0):
            legal[i, j, : spec.choices[j] if j < len(spec.choices) else 1] = True
    return Parts(continuous, width, used, low, high, legal)


def _columns(roles: dict[str, Any], kinds: IntArray, controlled: Sequence[str] | IntArray | str) -> IntArray:
    if isinstance(controlled, str):
        controlled = list(roles) if controlled == "all" else [controlled]
    if len(controlled) and isinstance(controlled[0], str):
        for role in controlled:
            if role not in roles:
                raise unknown_name("role", str(role), list(roles))
        wanted = [list(roles).index(str(r)) for r in controlled]
        return np.flatnonzero(np.isin(kinds, wanted)).astype(np.int64)
    found = np.unique(np.asarray(controlled, dtype=np.int64))
    if len(found) == 0 or found[0] < 0 or found[-1] >= len(kinds):
        raise Unsupported(f"controlled agents must be columns in 0..{len(kinds) - 1}, got {list(controlled)}")
    return found
