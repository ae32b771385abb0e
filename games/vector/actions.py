"""Kinds of actions of vector worlds, and checks of actions of several parts.

Axes: B worlds, N agents of a role, P parts of an action.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equilibria.sim.contract import ActionRule, Role
from equilibria.sim.errors import IllegalAction, InvalidValue
from equilibria.sim.types import AnyArray


def kind(name: str, roles: Mapping[str, Role]) -> tuple[tuple[int, ...], type[np.int64 | np.float64]]:
    """Return shape and type of one agent's action in the joint array: the longest of the roles.

    Raises:
        InvalidValue: If roles differ in kind, or what a role says of its actions does not fit together.
    """
    kinds = {(bool(spec.actions), bool(spec.choices)) for spec in roles.values()}
    if len(kinds) > 1:
        raise InvalidValue(
            f"{name}: all roles must have the same kind of actions (discrete, continuous, multi-discrete)"
        )
    for role, spec in roles.items():
        parts = spec.action_shape[0] if len(spec.action_shape) == 1 else -1
        single = spec.actions > 0 and not spec.action_shape and not spec.choices
        given = [len(x) for x in (spec.choices, spec.low, spec.high) if x]
        if not single and (spec.actions or parts < 1 or any(n != parts for n in given)):
            raise InvalidValue(
                f"{name}: role {role!r} needs a number of actions, or action_shape [parts] with options or bounds per part"
            )
    if next(iter(kinds))[0]:
        return (), np.int64
    longest = max(spec.action_shape[0] for spec in roles.values())
    return (longest,), np.int64 if next(iter(kinds))[1] else np.float64


def check_parts(name: str, role: str, spec: Role, given: AnyArray, batch: int) -> None:
    """Check actions [B, N, P] of a role; continuous ones may lie outside their bounds, the world clips them.

    Raises:
        IllegalAction: If shape or type is wrong, a number is not finite, or an option does not exist.
    """
    wanted = np.integer if spec.choices else np.floating
    shape = (batch, spec.count, spec.action_shape[0])
    if given.shape != shape or not np.issubdtype(given.dtype, wanted):
        numbers = "integers" if spec.choices else "floating-point numbers"
        raise IllegalAction(
            f"{name}: actions of role {role!r} must be {numbers} of shape {shape}, got {given.dtype} {given.shape}"
        )
    values: NDArray[Any] = given
    wrong = (values < 0) | (values >= np.array(spec.choices)) if spec.choices else ~np.isfinite(values)
    if wrong.any():
        world, agent, part = (int(x) for x in np.argwhere(wrong)[0])
        expected = f"lie in 0..{spec.choices[part] - 1}" if spec.choices else "be finite"
        raise IllegalAction(
            f"{name}: part {part} of the action of {role} {agent} in world {world} must {expected}, "
            f"got {values[world, agent, part]}"
        )


def check_rule(name: str, role: str, rule: ActionRule, given: AnyArray) -> None:
    """Check actions int64 [B, N, P] of a role against a rule on whole actions.

    Raises:
        IllegalAction: If one breaks the rule; says which and why.
    """
    batch, count, parts = given.shape
    legal = np.asarray(rule.legal(given.reshape(batch * count, parts)), np.bool_)
    if not legal.all():
        world, agent = divmod(int(np.flatnonzero(~legal)[0]), count)
        raise IllegalAction(
            f"{name}: action of {role} {agent} in world {world}: {rule.refusal(given[world, agent])}, "
            f"got {given[world, agent].tolist()}"
        )
