"""Population worlds against Mesa: periods per second in one process, medians.

The peers are the same models written with Mesa's own classes, as its examples write them, without
data collection; where an example has a known quadratic slip (choosing from ``model.agents`` walks
the whole set) the peer uses a list instead.  A period updates every agent once.

What one of our periods costs at least, per agent:

* wealth, random-sequential: 2 random words (40 multiplications), 4 + 4 bytes of order written and
  read back, 8 bytes of wealth read and written at two random places;
* wealth, simultaneous: 1 word, 12 bytes of wealth and change read and written in order, 4 at random;
* grid: 3 words, 5 random places of 4 bytes in tables of 4 to 64 bytes per cell;
* segregation: 2 words and 9 bytes read around the agent's cell;
* contagion: 2 words, 1 byte of state; infected agents add one byte per neighbour at random.

``limit_fraction`` of the wealth rows is the time of the random words alone (``draws.fill``, measured
in the same run) over the time of the period: the counter generator is the arithmetic floor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from equilibria.benchmarks.common import Row, medians
from equilibria.games.population import contagion, draws, measures, schelling, wealth
from equilibria.games.population.settings import (
    ContagionSettings,
    GraphSettings,
    SchellingSettings,
    WealthGridSettings,
    WealthSettings,
)
from equilibria.sim.mesa_import import kept_start_method
from equilibria.sim.seeds import SeedTree

_TREE = SeedTree(1)
_UNIT = "ns/agent update"


def _stepper(game: Any, periods: int) -> Callable[[], None]:
    """Return a call that performs the next ``periods`` periods of a world."""
    done = [0]

    def step() -> None:
        game.run(done[0] + 1, periods)
        done[0] += periods

    return step


def _words(agents: int, periods: int) -> Callable[[], None]:
    """Return a call that draws one word per agent and period."""
    buffer = np.empty(draws.BUFFER, np.uint32)
    key = _TREE.key()

    def step() -> None:
        for period in range(1, periods + 1):
            for first in range(0, agents, draws.BUFFER):
                draws.fill(buffer, key, period, 0, first)

    return step


def _compare(case: str, ours: Any, peer: Any, agents: int, target: float, *, quick: bool, words: int = 0) -> Row:
    periods = 20
    calls: dict[str, Callable[[], object]] = {"ours": _stepper(ours, periods), "peer": peer.step}
    if words:
        calls["words"] = _words(agents, periods)
    times = medians(calls, rounds=3 if quick else 5, budget=0.02 if quick else 0.2)
    mine, theirs = times["ours"] / periods / agents, times["peer"] / agents
    return Row(
        case=case,
        ours=mine * 1e9,
        peer=theirs * 1e9,
        peer_name=f"Mesa {_mesa_version()}",
        unit=_UNIT,
        ratio=theirs / mine,
        target=target,
        limit_fraction=words * times["words"] / times["ours"] if words else None,
        note=f"{agents} agents",
    )


def _mesa() -> Any:
    with kept_start_method():
        import mesa
    return mesa


def _mesa_version() -> str:
    return str(_mesa().__version__)


def _wealth_peer(agents: int, simultaneous: bool) -> Any:
    mesa = _mesa()

    class Trader(mesa.Agent):  # type: ignore[misc,name-defined]
        def __init__(self, model: Any) -> None:
            super().__init__(model)
            self.wealth = 1
            self.gift = False

        def give(self) -> None:
            if self.wealth > 0:
                other = self.random.choice(self.model.everybody)
                while other is self:
                    other = self.random.choice(self.model.everybody)
                self.wealth -= 1
                other.wealth += 1

        def decide(self) -> None:
            self.gift = self.wealth > 0

        def hand_over(self) -> None:
            if self.gift:
                other = self.random.choice(self.model.everybody)
                while other is self:
                    other = self.random.choice(self.model.everybody)
                self.wealth -= 1
                other.wealth += 1

    class Traders(mesa.Model):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__(seed=1)
            self.everybody = list(Trader.create_agents(self, agents))

        def step(self) -> None:
            if simultaneous:
                self.agents.do("decide")
                self.agents.do("hand_over")
            else:
                self.agents.shuffle_do("give")

    return Traders()


def _grid_peer(agents: int, side: int) -> Any:
    _mesa()
    from mesa.examples.basic.boltzmann_wealth_model.model import BoltzmannWealth

    return _without_collection(BoltzmannWealth(agents, side, side, seed=1))


def _schelling_peer(side: int) -> Any:
    _mesa()
    from mesa.examples.basic.schelling.model import Schelling

    return _without_collection(Schelling(height=side, width=side, seed=1))


def _without_collection(model: Any) -> Any:
    model.datacollector.collect = lambda *_: None
    return model


def _contagion_peer(graph: Any, infected: int, infection: float, recovery: float) -> Any:
    mesa = _mesa()
    from mesa.discrete_space import FixedAgent, Network

    class Person(FixedAgent):  # type: ignore[misc]
        def __init__(self, model: Any, cell: Any) -> None:
            super().__init__(model)
            self.cell = cell
            self.infected = False

        def step(self) -> None:
            if self.infected:
                for other in self.cell.neighborhood.agents:
                    if not other.infected and self.random.random() < infection:
                        other.infected = True
                if self.random.random() < recovery:
                    self.infected = False

    class Epidemic(mesa.Model):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__(seed=1)
            self.grid = Network(graph, capacity=1, random=self.random)
            people = list(Person.create_agents(self, graph.number_of_nodes(), list(self.grid.all_cells)))
            for person in self.random.sample(people, infected):
                person.infected = True

        def step(self) -> None:
            self.agents.shuffle_do("step")

    return Epidemic()


def _wealth_rows(quick: bool) -> Iterator[Row]:
    agents = 10_000 if quick else 100_000
    for activation, target, words in (("random-sequential", 150, 2), ("simultaneous", 250, 1)):
        settings = WealthSettings.model_validate({"agents": agents, "activation": activation})
        peer = _wealth_peer(agents, activation == "simultaneous")
        ours = wealth.WealthExchange(settings)
        ours.reset(_TREE)
        yield _compare(f"wealth {activation}", ours, peer, agents, target, quick=quick, words=words)


def _grid_row(quick: bool) -> Row:
    agents, side = (2_500, 50) if quick else (40_000, 200)
    ours = wealth.WealthGrid(WealthGridSettings(agents=agents, width=side, height=side, activation="random-sequential"))
    ours.reset(_TREE)
    return _compare("wealth grid random-sequential", ours, _grid_peer(agents, side), agents, 100, quick=quick)


def _schelling_row(quick: bool) -> Row:
    side = 50 if quick else 150
    ours = schelling.Schelling(SchellingSettings(width=side, height=side, activation="random-sequential"))
    ours.reset(_TREE)
    # Both start from chance and settle alike, so the medians compare mostly settled worlds.
    return _compare("schelling random-sequential", ours, _schelling_peer(side), ours.agents, 100, quick=quick)


def _contagion_row(quick: bool) -> Row:
    import networkx

    agents = 2_000 if quick else 20_000
    infected, infection, recovery = agents // 5, 0.1, 0.3
    settings = ContagionSettings(
        model="sis", infection=infection, recovery=recovery, initial_infected=infected, activation="random-sequential",
        graph=GraphSettings(params={"n": agents, "m": 2}),
    )  # fmt: skip
    ours = contagion.build(settings, seeds=_TREE)
    ours.reset(_TREE)
    graph = networkx.Graph()
    graph.add_nodes_from(range(agents))
    net = ours.network
    graph.add_edges_from(zip(np.repeat(np.arange(agents), net.degrees).tolist(), net.target.tolist(), strict=True))
    peer = _contagion_peer(graph, infected, infection, recovery)
    return _compare("contagion sis random-sequential", ours, peer, agents, 100, quick=quick)


def _gini_row(quick: bool) -> Row:
    agents = 100_000 if quick else 1_000_000
    ours = wealth.WealthExchange(WealthSettings(agents=agents, activation="simultaneous"))
    ours.reset(_TREE)
    ours.run(1, 100)
    values = np.asarray(ours.columns()["wealth"], np.int32)

    def sorting() -> float:
        x = np.sort(values)
        n = x.size
        return float(2 * (np.arange(1, n + 1) @ x) / (n * x.sum()) - (n + 1) / n)

    times = medians({"ours": lambda: measures.gini(values), "peer": sorting}, rounds=5, budget=0.02)
    return Row(
        case="gini metric",
        ours=times["ours"] * 1e3,
        peer=times["peer"] * 1e3,
        peer_name="numpy sort",
        unit="ms",
        ratio=times["peer"] / times["ours"],
        note=f"{agents} agents",
    )


def rows(*, quick: bool = False) -> Iterator[Row]:
    """Yield one row per world, activation and metric."""
    yield from _wealth_rows(quick)
    yield _grid_row(quick)
    yield _schelling_row(quick)
    yield _contagion_row(quick)
    yield _gini_row(quick)
