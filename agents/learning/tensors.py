"""Torch objects as saved states: generators, contexts, modules, Adam moments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from equilibria.agents.learning.batches import Context
from equilibria.agents.learning.torch_import import torch
from equilibria.sim.contract import State
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import AnyArray, BoolArray


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread, so that results do not depend on their number."""
    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def array(tensor: torch.Tensor) -> AnyArray:
    """Return a copy of a tensor as an array."""
    copied: AnyArray = tensor.detach().numpy().copy()
    return copied


def generator_state(generator: torch.Generator) -> State:
    """Return a generator's state."""
    return State({"generator": array(generator.get_state())})


def generator_from(generator: torch.Generator, state: State) -> None:
    """Restore a generator's state."""
    generator.set_state(torch.from_numpy(np.array(state.arrays["generator"], np.uint8)))


def context_state(context: Context) -> State:
    """Return a context."""
    return State({f"context/{name}": array(value) for name, value in context.items()})


def context_from(state: State) -> Context:
    """Return the context of a state."""
    return {name: torch.from_numpy(np.array(value)) for name, value in state.part("context").arrays.items()}


def renewed(policy: Any, context: Context, over: BoolArray, generator: torch.Generator) -> Context:
    """Return the context with the rows of ended worlds replaced by fresh ones."""
    if not context or not over.any():
        return context
    fresh = policy.begin(len(over), generator)
    rows = torch.from_numpy(over)
    return {
        name: torch.where(rows.view(-1, *[1] * (value.dim() - 1)), fresh[name], value)
        for name, value in context.items()
    }


def module_state(module: torch.nn.Module) -> State:
    """Return parameters and buffers by name."""
    return State({name: array(value) for name, value in module.state_dict().items()})


def load_module(module: torch.nn.Module, arrays: Mapping[str, AnyArray], what: str) -> None:
    """Copy parameters in place.

    Raises:
        InvalidValue: If names or shapes differ; names the first differing tensor.
    """
    own = module.state_dict()
    for name in sorted(own.keys() | arrays.keys()):
        if name not in arrays:
            raise InvalidValue(
                f"the saved {what} has no tensor {name!r}, this network has one {tuple(own[name].shape)}"
            )
        found = tuple(arrays[name].shape)
        if name not in own:
            raise InvalidValue(f"the saved {what} has a tensor {name!r} {found}, this network has none")
        if found != tuple(own[name].shape):
            raise InvalidValue(
                f"tensor {name!r} of the saved {what} has shape {found}, this network's has {tuple(own[name].shape)}; "
                "use the settings the state was made with"
            )
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(torch.from_numpy(np.array(arrays[name])))


def adam_state(optimiser: torch.optim.Optimizer) -> State:
    """Return the moments of all parameters; empty before the first step."""
    held = optimiser.state_dict()["state"]
    return State({f"{i}/{name}": array(value) for i, entry in held.items() for name, value in entry.items()})


def load_adam(optimiser: torch.optim.Optimizer, state: State) -> None:
    """Restore moments made by ``adam_state``."""
    plain = optimiser.state_dict()
    held: dict[int, dict[str, torch.Tensor]] = {}
    for path, value in state.arrays.items():
        index, _, name = path.partition("/")
        held.setdefault(int(index), {})[name] = torch.from_numpy(np.array(value))
    optimiser.load_state_dict({"state": held, "param_groups": plain["param_groups"]})
