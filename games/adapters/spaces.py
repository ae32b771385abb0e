"""Gymnasium spaces of actions that a rule restricts: they hold and draw legal actions only.

A list of distinct items is a ``MultiDiscrete`` whose parts exclude each other; a set of arms that may be pulled
together is a ``MultiBinary``.  Samples of the plain spaces would mostly be illegal, so these draw from the rule.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import MultiBinary, MultiDiscrete, Space
from gymnasium.vector.utils import batch_space

from equilibria.sim.contract import ActionRule, Role
from equilibria.sim.errors import Unsupported
from equilibria.sim.types import AnyArray


class _Ruled:
    """What both spaces add: the rule, for one action [parts] or a row of them [rows, parts]."""

    rule: ActionRule
    shape: tuple[int, ...]
    dtype: Any
    np_random: np.random.Generator

    def sample(self, mask: Any = None, probability: Any = None) -> AnyArray:
        """Draw a legal action, or one per row.

        Raises:
            Unsupported: If a mask is given; the rule is the mask.
        """
        if mask is not None or probability is not None:
            raise Unsupported("this space draws legal actions by its rule and takes neither mask nor probability")
        rows = self.shape[0] if len(self.shape) == 2 else 1
        drawn = np.stack([self.rule.draw(self.np_random) for _ in range(rows)])
        return np.asarray(drawn.reshape(self.shape).astype(self.dtype))

    def contains(self, x: Any) -> bool:
        """Say whether an action (or every row) lies in its ranges and is legal."""
        if not super().contains(x):  # type: ignore[misc]
            return False
        return bool(np.all(self.rule.legal(np.asarray(x, np.int64).reshape(-1, self.shape[-1]))))

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and bool(super().__eq__(other))


class RuledMultiDiscrete(_Ruled, MultiDiscrete):  # type: ignore[misc]
    """Actions of several parts with a rule.

    Args:
        nvec: Options of the parts, [parts] or [rows, parts].
        rule: Says which actions are legal and draws them.
        seed: Seed of the samples.
    """

    def __init__(self, nvec: Any, rule: ActionRule, seed: Any = None) -> None:
        MultiDiscrete.__init__(self, np.asarray(nvec, np.int64), seed=seed)
        self.rule = rule


class RuledMultiBinary(_Ruled, MultiBinary):  # type: ignore[misc]
    """Sets with a rule.

    Args:
        n: Number of members to choose from, or [rows, members].
        rule: Says which sets are legal and draws them.
        seed: Seed of the samples.
    """

    def __init__(self, n: Any, rule: ActionRule, seed: Any = None) -> None:
        MultiBinary.__init__(self, n, seed=seed)
        self.rule = rule


def ruled_space(spec: Role, rule: ActionRule) -> Space[Any]:
    """Return the space of one action of a role with a rule: a set if every part is 0 or 1, else a list of options."""
    if set(spec.choices) == {2}:
        return RuledMultiBinary(len(spec.choices), rule)
    return RuledMultiDiscrete(spec.choices, rule)


def refusal(space: Space[Any], action: Any) -> str:
    """Return why a ruled space refuses an action whose parts lie in their ranges; empty for everything else."""
    if not isinstance(space, _Ruled):
        return ""
    plain: Any = MultiBinary if isinstance(space, MultiBinary) else MultiDiscrete
    if not plain.contains(space, action):
        return ""
    return "is illegal: " + space.rule.refusal(np.asarray(action, np.int64))


def _lists(space: RuledMultiDiscrete, n: int = 1) -> RuledMultiDiscrete:
    return RuledMultiDiscrete(np.tile(space.nvec, (n, 1)), space.rule, seed=_forked(space))


def _sets(space: RuledMultiBinary, n: int = 1) -> RuledMultiBinary:
    return RuledMultiBinary([n, space.shape[-1]], space.rule, seed=_forked(space))


def _forked(space: Space[Any]) -> np.random.Generator:
    """Return a generator in the state of the space's own, as Gymnasium's batched spaces have."""
    made = np.random.Generator(type(space.np_random.bit_generator)())
    made.bit_generator.state = space.np_random.bit_generator.state
    return made


batch_space.register(RuledMultiDiscrete, _lists)
batch_space.register(RuledMultiBinary, _sets)
