"""Adam on one contiguous vector of parameters: clipping and the step are one compiled pass.

Source: Kingma and Ba (2015), arXiv 1412.6980; decays .9 and .999, epsilon 1e-5 as in Yu et al. (2022), arXiv 2103.01955.
"""

from __future__ import annotations

import numpy as np

from equilibria.agents.learning import step_kernels
from equilibria.agents.learning.torch_import import torch
from equilibria.sim.contract import State
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import AnyArray

EPSILON = 1e-5


class FlatAdam:
    """Adam for a module whose parameters move into one vector; torch's Adam up to rounding.

    Args:
        module: float32 parameters; they become parts of ``vector`` and keep their shapes.
        rate: Learning rate.

    Attributes:
        vector: float32 [P] all parameters.
        gradient: float32 [P] to be filled before ``step``.
    """

    def __init__(self, module: torch.nn.Module, rate: float) -> None:
        self.rate, self.steps = rate, 0
        self._parameters = list(module.parameters())
        sizes = [p.numel() for p in self._parameters]
        ends = np.cumsum(sizes)
        self._places = [slice(int(end) - size, int(end)) for size, end in zip(sizes, ends, strict=True)]
        self._whole = torch.zeros(int(ends[-1]))
        self.vector: AnyArray = self._whole.numpy()
        self.gradient, self._first, self._second = (np.zeros_like(self.vector) for _ in range(3))
        self.gather()

    def gather(self) -> None:
        """Take parameters in that someone has moved elsewhere, with their values."""
        base = self._whole.data_ptr()
        for parameter, place in zip(self._parameters, self._places, strict=True):
            if parameter.data_ptr() != base + 4 * place.start:
                part = self._whole[place].view(parameter.shape)
                with torch.no_grad():
                    part.copy_(parameter)
                parameter.data = part

    def views(self, parameter: torch.nn.Parameter) -> tuple[AnyArray, AnyArray]:
        """Return a parameter's values and gradient as parts of the vectors, without an axis of length 1 in front."""
        for own, place in zip(self._parameters, self._places, strict=True):
            if own is parameter:
                shape = tuple(parameter.shape)
                shape = shape[1:] if len(shape) > 1 and shape[0] == 1 else shape
                return self.vector[place].reshape(shape), self.gradient[place].reshape(shape)
        raise InvalidValue("the parameter belongs to another module")

    def step(self, largest: float) -> float:
        """Clip the gradient to a norm, do a step unless the norm is not finite, return the norm before."""
        norm = float(
            step_kernels.adam(
                self.vector, self.gradient, self._first, self._second, largest, self.rate, float(self.steps + 1)
            )
        )
        self.steps += bool(np.isfinite(norm))
        return norm

    def save(self) -> State:
        """Return the moments by parameter, as ``tensors.adam_state`` does; empty before the first step."""
        if not self.steps:
            return State()
        found: dict[str, AnyArray] = {}
        for i, (parameter, place) in enumerate(zip(self._parameters, self._places, strict=True)):
            shape = tuple(parameter.shape)
            found[f"{i}/step"] = np.array(self.steps, np.float32)
            found[f"{i}/exp_avg"] = self._first[place].reshape(shape).copy()
            found[f"{i}/exp_avg_sq"] = self._second[place].reshape(shape).copy()
        return State(found)

    def load(self, state: State) -> None:
        """Restore what ``save`` or ``tensors.adam_state`` returned for equal parameters."""
        self.steps = 0
        self._first[:], self._second[:] = 0.0, 0.0
        for i, place in enumerate(self._places):
            for name, kept in (("exp_avg", self._first), ("exp_avg_sq", self._second)):
                if f"{i}/{name}" in state.arrays:
                    kept[place] = np.asarray(state.arrays[f"{i}/{name}"]).ravel()
                    self.steps = int(state.arrays[f"{i}/step"])
