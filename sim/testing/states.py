"""Comparing saved states and saying what differs."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import PluginError


def demand(condition: bool, promise: str) -> None:
    """Raise ``PluginError`` with the broken promise unless the condition holds."""
    if not condition:
        raise PluginError(f"contract broken: {promise}")


def frozen(state: State, what: str) -> State:
    """Return a deep copy of a state after checking that it can be stored.

    Raises:
        PluginError: If an array is of objects, or the JSON part is none.
    """
    demand(isinstance(state, State), f"{what}.save() must return a State, got {type(state).__name__}")
    arrays = {}
    for name, array in state.arrays.items():
        kind = getattr(array, "dtype", None)
        demand(isinstance(array, np.ndarray), f"{what}.save() array {name!r} must be a numpy array, got {type(array)}")
        demand(not getattr(kind, "hasobject", True), f"{what}.save() array {name!r} must not hold Python objects")
        arrays[name] = np.array(array, copy=True)
    try:
        text = json.dumps(dict(state.meta), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise PluginError(f"contract broken: {what}.save() meta must be JSON: {error}") from None
    back = json.loads(text)
    demand(back == dict(state.meta), f"{what}.save() meta must survive JSON (no tuples, no number keys)")
    return State(arrays, back)


def difference(left: State, right: State) -> str:
    """Say where two states differ, empty when they are equal bit by bit."""
    if set(left.arrays) != set(right.arrays):
        return f"arrays {sorted(set(left.arrays) ^ set(right.arrays))} are in one state only"
    for name, array in left.arrays.items():
        if not same(array, right.arrays[name]):
            return f"array {name!r} differs"
    if dict(left.meta) != dict(right.meta):
        keys = [k for k in {**left.meta, **right.meta} if left.meta.get(k) != right.meta.get(k)]
        return f"meta {sorted(keys)} differ"
    return ""


def same(left: Any, right: Any) -> bool:
    """Say whether two arrays are equal bit by bit (dtype, shape, bytes)."""
    a, b = np.asarray(left), np.asarray(right)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def check_certificate(found: Any, what: str) -> None:
    """Check that a certificate is complete."""
    demand(isinstance(found, Certificate), f"{what}.certificate() must return a Certificate, got {type(found)}")
    demand(bool(found.measure and found.method), f"{what}.certificate() must name its measure and method")
    demand(math.isfinite(found.value), f"{what}.certificate().value must be finite, got {found.value!r}")
    try:
        json.dumps(found.to_json(), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise PluginError(f"contract broken: {what}.certificate().details must be JSON: {error}") from None
