"""Contagion on a network: susceptible-infected-susceptible and susceptible-infected-recovered.

**State.** Agent i of N is susceptible (0), infected (1) or recovered (2).  ``initial_infected`` agents,
drawn uniformly without replacement, are infected at period 0.  Agents meet their neighbours in an
undirected simple graph made by a networkx generator.

**One period.** b is ``infection``, c is ``recovery``; every event has its own random word.
  - ``random-sequential``: in a fresh uniformly random order, each agent that is infected at its turn
    infects each neighbour that is then susceptible with probability b, and then recovers with
    probability c.  Who is infected early in a period may pass it on in the same period.
  - ``simultaneous``: with k neighbours infected at the start of the period a susceptible agent is
    infected with probability 1 - (1 - b)^k; an agent infected at its start recovers with
    probability c.
Recovered agents are susceptible again (``sis``) or immune for good (``sir``).  Probabilities are
rounded to multiples of 2^-32; 0 and 1 are exact.

**Certificate.** ``sir``: prevalence, exact; 0 is absorbed, nothing can change any more.  ``sis``: the net
flow |expected new infections - expected recoveries| / N if every agent acted once on the present
state, exact; 0 when the disease is gone or in balance.  In balance it fluctuates by chance, by the
standard deviation that the details give.  The details also hold the heterogeneous mean-field
prediction of ``meanfield``.

Sources: W. O. Kermack, A. G. McKendrick, Proceedings of the Royal Society A 115 (1927) 700-721;
R. Pastor-Satorras, A. Vespignani, Physical Review Letters 86 (2001) 3200-3203.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from equilibria.games.population import contagion_kernels as kernels
from equilibria.games.population import meanfield
from equilibria.games.population.networks import Network, build_network
from equilibria.games.population.settings import ContagionSettings
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, FloatArray


def threshold(probability: float) -> np.uint64:
    """Return round(p * 2**32): a 32-bit word is below it with probability p, exactly so for 0 and 1."""
    return np.uint64(round(probability * 2**32))


class Contagion:
    """The contagion worlds; see the module for the model.

    Args:
        settings: Parameters.
        network: Who meets whom.

    Raises:
        InvalidValue: If more agents shall be infected than there are.

    Cost: one word per agent and, for a random-sequential period, one word per susceptible neighbour
    of an infected agent; simultaneous periods read the neighbours of the susceptible.
    """

    unit: ClassVar[str] = "period"
    column_names: ClassVar[tuple[str, ...]] = ("state", "infections", "degree")

    def __init__(self, settings: ContagionSettings, network: Network) -> None:
        n = network.nodes
        if settings.initial_infected > n:
            raise InvalidValue(
                f"initial_infected must be at most the {n} nodes of the graph, got {settings.initial_infected}"
            )
        self._settings = settings
        self._network = network
        self._state = np.zeros(n, np.int8)
        self._infections = np.zeros(n, np.int32)
        self._order = np.empty(n, np.int32)
        self._place = np.zeros(n, np.int32)
        self._fresh = np.empty(n, np.int8)
        self._key = np.uint64(0)
        powers = np.arange(int(network.degrees.max()) + 1)
        self._caught = 1 - (1 - settings.infection) ** powers
        self._escape = np.array([threshold(float(p)) for p in self._caught])
        self._chance = np.array([threshold(settings.infection), threshold(0.0), threshold(0.0)])
        self._after = np.int8(kernels.SUSCEPTIBLE if settings.model == "sis" else kernels.RECOVERED)

    @property
    def agents(self) -> int:
        """Number of agents."""
        return int(self._state.size)

    @property
    def network(self) -> Network:
        """The graph."""
        return self._network

    def reset(self, seeds: SeedTree) -> None:
        """Infect the first agents; the graph stays as built."""
        self._key = seeds.child("contagion").key()
        self._state.fill(kernels.SUSCEPTIBLE)
        self._infections.fill(0)
        first = seeds.child("first").generator().choice(self.agents, self._settings.initial_infected, replace=False)
        self._state[first], self._infections[first] = kernels.INFECTED, 1

    def run(self, first: int, steps: int) -> None:
        """Perform periods ``first .. first + steps - 1``."""
        s, net = self._settings, self._network
        recover = threshold(s.recovery)
        if s.activation == "simultaneous":
            kernels.run_at_once(
                self._state, self._infections, net.start, net.target, self._fresh, self._escape, recover,
                self._after, self._key, first, steps,
            )  # fmt: skip
        else:
            kernels.run_in_order(
                self._state, self._infections, net.start, net.target, self._order, self._place,
                self._chance, recover, self._after, self._key, first, steps,
            )  # fmt: skip

    def columns(self) -> Mapping[str, AnyArray]:
        """Return ``state`` int8 (0, 1, 2), ``infections`` int32 and ``degree`` int64 [N]."""
        return {"state": self._state, "infections": self._infections, "degree": self._network.degrees}

    def prevalence(self) -> float:
        """Return the share of infected agents."""
        return int((self._state == kernels.INFECTED).sum()) / self.agents

    def attack_rate(self) -> float:
        """Return the share of agents infected at least once, the first cases included."""
        return int((self._infections > 0).sum()) / self.agents

    def save(self) -> State:
        """Return states, infections and key; the graph is drawn again from the seed."""
        arrays: dict[str, AnyArray] = {
            "state": self._state.copy(),
            "infections": self._infections.copy(),
            "key": np.array([self._key]),
        }
        return State(arrays)

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        self._state[:], self._infections[:] = state.arrays["state"], state.arrays["infections"]
        self._key = np.uint64(state.arrays["key"][0])

    def certificate(self) -> Certificate:
        """Return prevalence (``sir``) or the net flow (``sis``), both exact."""
        return self._absorption() if self._settings.model == "sir" else self._flow()

    def _absorption(self) -> Certificate:
        s, degrees = self._settings, self._network.degrees
        return Certificate(
            measure="prevalence",
            value=self.prevalence(),
            unit="share of agents",
            method="counting the infected, who alone can change anything",
            details={
                "attack_rate": self.attack_rate(),
                "mean_field_attack_rate": meanfield.attack_rate(
                    degrees, s.infection, s.recovery, initial=s.initial_infected / self.agents
                ),
            },
        )

    def _flow(self) -> Certificate:
        s, degrees = self._settings, self._network.degrees
        chances = self._chances()
        sign = np.where(self._state == kernels.INFECTED, -1.0, 1.0)
        prevalence = self.prevalence()
        predicted = meanfield.endemic_prevalence(degrees, s.infection, s.recovery)
        return Certificate(
            measure="net flow of infections",
            value=abs(float((sign * chances).sum())) / self.agents,
            unit="share of agents per period",
            method="exact expectation over one action of every agent on the present state",
            details={
                "prevalence": prevalence,
                "mean_field_prevalence": predicted,
                "distance_from_mean_field": abs(prevalence - predicted),
                "standard_deviation_of_the_flow": float(np.sqrt((chances * (1 - chances)).sum())) / self.agents,
                "extinct": prevalence == 0.0,
            },
        )

    def _chances(self) -> FloatArray:
        """Return each agent's probability of changing its state, float64 [N]."""
        count = np.empty(self.agents, np.int32)
        kernels.infected_neighbours(self._state, self._network.start, self._network.target, count)
        caught = np.asarray(self._caught[count], dtype=np.float64)
        return np.where(self._state == kernels.INFECTED, self._settings.recovery, caught)


def build(settings: ContagionSettings, *, seeds: SeedTree) -> Contagion:
    """Draw the graph and build the world; the engine resets it."""
    return Contagion(settings, build_network(settings.graph, seeds))
