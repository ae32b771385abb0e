"""Mesa models for the adapter's tests; imported by name from this folder."""

from __future__ import annotations

import itertools
import random
from typing import Any

import mesa

_calls = itertools.count()


class Walker(mesa.Agent):  # type: ignore[misc]
    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.wealth = 1
        self.speed = 0.5
        self.mood = "calm"

    def step(self) -> None:
        self.wealth += self.random.choice([-1, 0, 1])
        self.speed = float(self.model.rng.random())


class Walkers(mesa.Model):  # type: ignore[misc]
    """Agents come and go; both generators are used; one reporter is a lambda."""

    def __init__(self, n: int = 10, births: int = 0, stop: int = 0, seed: int | None = None) -> None:
        super().__init__(seed=seed)
        self.births, self.stop = births, stop
        self.datacollector = mesa.DataCollector({"total": lambda m: sum(a.wealth for a in m.agents)})
        Walker.create_agents(self, n)
        self.datacollector.collect(self)

    def step(self) -> None:
        self.agents.shuffle_do("step")
        if self.births:
            Walker.create_agents(self, self.births)
            self.random.choice(list(self.agents)).remove()
        self.datacollector.collect(self)
        if self.stop and self.steps >= self.stop:
            self.running = False

    @property
    def richest(self) -> int:
        return int(max(a.wealth for a in self.agents))

    def poorest(self) -> int:
        return int(min(a.wealth for a in self.agents))

    def nothing(self) -> None:
        return None


class Globals(Walkers):
    """Draws from the global generator of the random module."""

    def step(self) -> None:
        for agent in self.agents:
            agent.wealth += random.randint(0, 9)


class Unrepeatable(Walkers):
    """Depends on how often it was built in this process, as on a clock."""

    def step(self) -> None:
        for agent in self.agents:
            agent.wealth += next(_calls)


class Failing(Walkers):
    def step(self) -> None:
        if self.steps == 3:
            raise ZeroDivisionError("oops")


class Seedless(mesa.Model):  # type: ignore[misc]
    def __init__(self, n: int = 3) -> None:
        super().__init__()


class Plan:
    """Stands for the scenario objects of later Mesa versions."""

    def __init__(self, rng: int | None = None, n: int = 4) -> None:
        self.rng, self.n = rng, n


class Planned(Walkers):
    def __init__(self, scenario: Plan) -> None:
        super().__init__(n=scenario.n, seed=scenario.rng)


class NoModel:
    pass
