"""Families of worlds: one task, several numbers of agents, some of them never trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from equilibria.games.vector.particles import MAX_AGENTS, ParticleWorld, Reward
from equilibria.sim.errors import InvalidValue


@dataclass(frozen=True)
class PopulationFamily:
    """A population-varying game: the same world for different numbers N of agents.

    Attributes:
        make: Builds the world of N agents that pays as asked.
        train: Numbers of agents to train on, without repetition.
        unseen: Numbers of agents kept for evaluation, disjoint from ``train``.

    Raises:
        InvalidValue: If there is nothing to train on, a number occurs twice, or N is not in 2..128.
    """

    make: Callable[[int, Reward], ParticleWorld]
    train: tuple[int, ...]
    unseen: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.train:
            raise InvalidValue("train: at least one number of agents is needed")
        everything = [*self.train, *self.unseen]
        for n in everything:
            if everything.count(n) > 1:
                raise InvalidValue(f"train and unseen: {n} agents are listed more than once")
            if not 2 <= n <= MAX_AGENTS:
                raise InvalidValue(f"train and unseen: numbers of agents must lie in 2..{MAX_AGENTS}, got {n}")

    @property
    def name(self) -> str:
        """Name of the world."""
        return self.world(self.train[0]).name

    @property
    def populations(self) -> tuple[int, ...]:
        """All numbers of agents, trained ones first."""
        return (*self.train, *self.unseen)

    def world(self, agents: int, reward: Reward = "team") -> ParticleWorld:
        """Return the world of ``agents`` agents; any number in 2..128 will do."""
        return self.make(agents, reward)


def family(
    world: Callable[..., ParticleWorld], train: Sequence[int], unseen: Sequence[int] = (), **options: object
) -> PopulationFamily:
    """Return the family of a world class; ``options`` go to its constructor.

    Example:
        >>> from equilibria.games.vector import ResourceOccupation
        >>> family(ResourceOccupation, [3, 6], [12]).world(12).agents
        12
    """

    def make(agents: int, reward: Reward) -> ParticleWorld:
        return world(agents, reward=reward, **options)

    return PopulationFamily(make, tuple(train), tuple(unseen))
