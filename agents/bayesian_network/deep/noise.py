"""Counter-based noise: the numbers of world b depend on the key and b only, never on the number of worlds."""

from __future__ import annotations

import math

import numpy as np

from equilibria.agents.learning.torch_import import torch
from equilibria.sim.jit import kernel
from equilibria.sim.philox import uniform

_TINY = 2.0**-54


@kernel
def fill(key, logistic, out):  # type: ignore[no-untyped-def]
    """Fill out [B, K] with standard Gumbel or logistic numbers; always finite."""
    for b in range(out.shape[0]):
        for k in range(out.shape[1]):
            u = uniform(key, 0, b, k) + _TINY
            if logistic:
                out[b, k] = math.log(u) - math.log(max(1.0 - u, _TINY))
            else:
                out[b, k] = -math.log(-math.log(min(u, 1.0 - 2.0 * _TINY)))


def draw(shape: tuple[int, ...], generator: torch.Generator, *, logistic: bool = False) -> torch.Tensor:
    """Return float32 noise [B, ...]: standard Gumbel, or logistic (the difference of two Gumbel numbers)."""
    key = np.uint64(int(torch.randint(0, 2**62, (1,), generator=generator)))
    out = np.empty((shape[0], math.prod(shape[1:])), np.float32)
    fill(key, logistic, out)
    return torch.from_numpy(out.reshape(shape))
