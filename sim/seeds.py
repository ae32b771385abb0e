"""The seed tree: every random number of a run descends from one seed by name.

``root = SeedSequence(seed)``; a component's stream is ``SeedSequence(seed, spawn_key=(crc32(name), index))``,
so adding a component never shifts the numbers of another one, and the order of creation is irrelevant.
Compiled kernels take a 64-bit ``key`` instead of a generator and count (see ``philox``).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from equilibria.sim.errors import InvalidValue

MAX_SEED = 2**63 - 1


@dataclass(frozen=True, slots=True)
class SeedTree:
    """A node of the seed tree.

    Attributes:
        seed: Root seed, 0 <= seed <= 2**63 - 1.
        path: Spawn key of this node; the root's is empty.

    Example:
        >>> tree = SeedTree(7)
        >>> tree.child("world").key() == SeedTree(7).child("world").key()
        True
        >>> tree.child("world").key() == tree.child("learner").key()
        False
    """

    seed: int
    path: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.seed <= MAX_SEED:
            raise InvalidValue(f"seed must lie in 0..{MAX_SEED}, got {self.seed!r}")

    def child(self, name: str, index: int = 0) -> SeedTree:
        """Return the node of component ``name``, number ``index``."""
        return SeedTree(self.seed, (*self.path, zlib.crc32(name.encode()), index))

    def sequence(self) -> np.random.SeedSequence:
        """Return numpy's seed sequence of this node."""
        return np.random.SeedSequence(self.seed, spawn_key=self.path)

    def generator(self) -> np.random.Generator:
        """Return a fresh PCG64DXSM generator; two calls give generators with equal streams."""
        return np.random.Generator(np.random.PCG64DXSM(self.sequence()))

    def key(self) -> np.uint64:
        """Return the 64-bit key for counter-based kernels."""
        return np.uint64(self.sequence().generate_state(1, np.uint64)[0])

    def integer(self) -> int:
        """Return a non-negative 31-bit seed for libraries that take only an int."""
        return int(self.sequence().generate_state(1, np.uint32)[0]) >> 1

    def member(self, index: int) -> SeedTree:
        """Return the tree of sweep member ``index``: a new root, never ``seed + index``."""
        state = np.random.SeedSequence(self.seed, spawn_key=(zlib.crc32(b"member"), index))
        return SeedTree(int(state.generate_state(1, np.uint64)[0]) >> 1)
