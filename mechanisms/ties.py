"""Tie keys: a 64-bit hash of (seed, auction, bidder), the smaller key wins a tie.

The key is a pure function of its three numbers, so ties do not depend on the size of the batch, on
threads or on the order of evaluation.  The hash is two rounds of the splitmix64 finaliser.

Reference: Steele, Lea, Flood (2014), Fast splittable pseudorandom number generators, OOPSLA (mix64).
"""

from __future__ import annotations

import numpy as np

from equilibria.sim.jit import kernel

_GOLDEN, _M1, _M2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _ONE = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(1)
_MASK = 2**64 - 1


@kernel(inline="always")
def _mix(z):  # type: ignore[no-untyped-def]
    z = (z ^ (z >> _S30)) * _M1
    z = (z ^ (z >> _S27)) * _M2
    return z ^ (z >> _S31)


@kernel(inline="always")
def tie_key(random, seed, auction, bidder):  # type: ignore[no-untyped-def]
    """Return the key; with ``random`` false it is the bidder's index."""
    if not random:
        return np.uint64(bidder)
    outer = _mix(np.uint64(seed) + _GOLDEN * (np.uint64(auction) + _ONE))
    return _mix(outer + _GOLDEN * (np.uint64(bidder) + _ONE))


@kernel(inline="always")
def beats(a, b, random, seed, auction):  # type: ignore[no-untyped-def]
    """Say whether bidder ``a`` wins a tie against bidder ``b``."""
    ka, kb = tie_key(random, seed, auction, a), tie_key(random, seed, auction, b)
    return ka < kb or (ka == kb and a < b)


def _mix_reference(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def tie_key_reference(random: bool, seed: int, auction: int, bidder: int) -> int:
    """Return the key by Python integers."""
    if not random:
        return bidder
    golden = 0x9E3779B97F4A7C15
    outer = _mix_reference((seed + golden * (auction + 1)) & _MASK)
    return _mix_reference((outer + golden * (bidder + 1)) & _MASK)
