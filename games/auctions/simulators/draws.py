"""Normal numbers from counter-based words, for kernels.

One 32-bit word gives one normal number by the inverse of the distribution function, so a world needs no
state and no pairs.  Relative error about 1e-7 (the word has 32 bits); values lie in [-6.4, 6.4].

Source: Wichura (1988), Algorithm AS 241, Applied Statistics 37, 477, function PPND7.
Cost: about 4 ns; a logarithm and a root for the outer 15 %.
"""

from __future__ import annotations

import numpy as np

from equilibria.sim.jit import kernel

_UNIT = 2.0**-32


@kernel(inline="always")
def quantile(p):  # type: ignore[no-untyped-def]
    """Return the standard normal quantile of p in [1e-11, 1 - 1e-11]."""
    q = p - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        top = ((59.109374720 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179
        return q * top / (((67.187563600 * r + 78.757757664) * r + 17.895169469) * r + 1.0)
    r = np.sqrt(-np.log(p if q < 0.0 else 1.0 - p)) - 1.6
    top = ((0.17023821103 * r + 1.3067284816) * r + 2.7568153900) * r + 1.4234372777
    x = top / ((0.12021132975 * r + 0.73700164250) * r + 1.0)
    return -x if q < 0.0 else x


@kernel(inline="always")
def normal(word):  # type: ignore[no-untyped-def]
    """Return the standard normal number of a 32-bit word."""
    return quantile((np.float64(word) + 0.5) * _UNIT)


@kernel(inline="always")
def unit(word):  # type: ignore[no-untyped-def]
    """Return a number in (0, 1) of a 32-bit word."""
    return (np.float64(word) + 0.5) * _UNIT
