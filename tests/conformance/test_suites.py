"""The conformance suites accept good parts and catch each kind of broken one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import Role, State
from equilibria.sim.errors import PluginError
from equilibria.sim.seeds import SeedTree
from equilibria.testing import check_engine, check_env, check_game, check_mechanism, check_solver

EXACT = Certificate(measure="gap", value=0.0, unit="payoff", method="nothing")


class Counter:
    """A well-behaved engine and solver: a random walk with counted randomness."""

    unit: ClassVar[str] = "iteration"
    budget = 100

    def __init__(self) -> None:
        self.x = np.zeros(3)
        self.iteration = 0

    def start(self, seeds: SeedTree) -> None:
        self.x = np.zeros(3)
        self.iteration = 0

    def noise(self) -> Any:
        return np.random.Generator(np.random.PCG64DXSM(self.iteration)).random(3)

    def step(self, n: int = 1) -> None:
        for _ in range(n):
            self.iteration += 1
            self.x += self.noise()

    def advance(self, n: int, out: Any) -> int:
        if self.iteration == 0:
            out.metric("x", 0, float(self.x[0]))
        done = min(n, self.budget - self.iteration)
        for _ in range(done):
            self.step()
            self.record(out)
        return done

    def record(self, out: Any) -> None:
        out.metric("x", self.iteration, float(self.x[0]))
        out.table("t", {"unit": np.full(3, self.iteration, np.int64), "x": self.x})

    def policy(self) -> Any:
        return self.x.copy()

    def save(self) -> State:
        return State({"x": self.x.copy()}, {"iteration": self.iteration})

    def load(self, state: State) -> None:
        self.x = np.array(state.arrays["x"])
        self.iteration = int(state.meta["iteration"])  # type: ignore[arg-type]

    def certificate(self) -> Certificate:
        return EXACT


class AliasedState(Counter):
    def save(self) -> State:
        return State({"x": self.x}, {"iteration": self.iteration})

    def load(self, state: State) -> None:
        super().load(state)


class ForgetsOnResume(Counter):
    def load(self, state: State) -> None:
        super().load(state)
        self.x[0] = 0.0


class HiddenGenerator(Counter):
    def __init__(self) -> None:
        super().__init__()
        self.rng = np.random.default_rng(1)

    def noise(self) -> Any:
        return self.rng.random(3)


class UnseededNoise(Counter):
    def noise(self) -> Any:
        return np.random.default_rng().random(3)


class ObjectState(Counter):
    def save(self) -> State:
        return State({"x": np.array([{}], dtype=object)}, {})


class TupleMeta(Counter):
    def save(self) -> State:
        return State({"x": self.x.copy()}, {"iteration": self.iteration, "pair": (1, 2)})  # type: ignore[dict-item]


class CertificateMoves(Counter):
    def certificate(self) -> Certificate:
        self.x += 1
        return EXACT


class NoCertificate(Counter):
    def certificate(self) -> Certificate:
        return None  # type: ignore[return-value]


class ChunkDependent(Counter):
    def advance(self, n: int, out: Any) -> int:
        self.x[0] += n
        return super().advance(n, out)

    def step(self, n: int = 1) -> None:
        self.x[0] += n > 1
        super().step(n)


class ChangingColumns(Counter):
    def record(self, out: Any) -> None:
        out.table("t", {"unit": np.full(1, self.iteration, np.int64), f"x{self.iteration}": self.x[:1]})


class IntegerThenFloat(Counter):
    def record(self, out: Any) -> None:
        column = self.x[:1] if self.iteration > 2 else np.zeros(1, np.int64)
        out.table("t", {"unit": np.full(1, self.iteration, np.int64), "x": column})


class NotANumber(Counter):
    def record(self, out: Any) -> None:
        out.metric("x", self.iteration, float("nan"))


class BackwardUnits(Counter):
    def record(self, out: Any) -> None:
        out.metric("x", max(0, 5 - self.iteration), 0.0)


class ReturnsTooMuch(Counter):
    def advance(self, n: int, out: Any) -> int:
        return super().advance(n, out) + 1


class NeverEnds(Counter):
    budget = 5

    def advance(self, n: int, out: Any) -> int:
        if self.iteration == self.budget:
            out.metric("x", self.budget, 0.0)
        return super().advance(n, out)


class Undead(Counter):
    budget = 5

    def advance(self, n: int, out: Any) -> int:
        if self.iteration == 5 and self.budget == 5:
            self.budget = 50
            return 0
        return super().advance(n, out)


def test_good_engine_passes(toys: Path) -> None:
    from equilibria.sim.scenario import plan_from_bytes

    check_engine(Counter)
    check_engine(type("Short", (Counter,), {"budget": 5}))
    text = b"version: 1\nname: x\ngame: {use: toy_walk}\nmetrics: [{use: toy_mean, every: 3}]\nrun: {budget: 8}\n"
    check_engine(plan_from_bytes(text, "x").build)


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (AliasedState, "a saved state must not change"),
        (ForgetsOnResume, r"load\(s\); save\(\) must return s: array 'x' differs"),
        (HiddenGenerator, "a resumed run must record"),
        (UnseededNoise, "two equal runs must record the same"),
        (ObjectState, "must not hold Python objects"),
        (TupleMeta, "must survive JSON"),
        (CertificateMoves, r"certificate\(\) must not change"),
        (NoCertificate, "must return a Certificate"),
        (ChunkDependent, "advance in pieces must record the same"),
        (ChangingColumns, "columns changed from"),
        (IntegerThenFloat, "x changed from int64 to float64"),
        (NotANumber, "metric 'x' must be finite, got nan at unit 1"),
        (BackwardUnits, "units must not decrease"),
        (ReturnsTooMuch, r"must return 0\.\.9, got 10"),
        (NeverEnds, "advance in pieces must record the same"),
        (Undead, "after 0 .finished. advance must keep returning 0"),
        (object, "must have start, advance, save, load, certificate"),
    ],
)
def test_broken_engines_are_caught(broken: type, says: str) -> None:
    with pytest.raises(PluginError, match=says):
        check_engine(broken)


def test_good_solver_passes() -> None:
    check_solver(Counter)


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (AliasedState, "a saved state must not change"),
        (ForgetsOnResume, "a resumed solver must end where"),
        (HiddenGenerator, "a resumed solver must end where"),
        (ChunkDependent, r"step\(1\) 6 times must equal step\(6\)"),
        (CertificateMoves, "must not change the solver"),
        (NoCertificate, "must return a Certificate"),
        (object, "must have step, policy"),
    ],
)
def test_broken_solvers_are_caught(broken: type, says: str) -> None:
    with pytest.raises(PluginError, match=says):
        check_solver(broken)


class SecondPrice:
    """Single item to the highest report at the second highest (or at a wrong price)."""

    def __init__(self, rank: int = 1, **claims: bool) -> None:
        self.rank, self.claims = rank, claims

    def properties(self) -> Mapping[str, bool]:
        return self.claims

    def outcome(self, reports: Any) -> Any:
        allocation = np.zeros_like(reports)
        rows = np.arange(len(reports))
        winner = reports.argmax(axis=1)
        ordered = np.sort(reports, axis=1)[:, ::-1]
        price = ordered[:, self.rank] if reports.shape[1] > self.rank else np.zeros(len(reports))
        allocation[rows, winner] = 1.0
        payments = np.zeros_like(reports)
        payments[rows, winner] = price
        return allocation, payments


class Impure(SecondPrice):
    def outcome(self, reports: Any) -> Any:
        reports[0, 0] += 1
        return super().outcome(reports)


GOOD_CLAIMS = {
    "truthful": True,
    "individually_rational": True,
    "weakly_budget_balanced": True,
    "no_positive_transfers": True,
    "efficient": True,
    "monotone": True,
    "budget_balanced": False,
}


def test_second_price_auction_keeps_its_claims() -> None:
    check_mechanism(SecondPrice(**GOOD_CLAIMS))


@pytest.mark.parametrize(
    ("mechanism", "says"),
    [
        (SecondPrice(0, truthful=True), "claim 'truthful' does not hold"),  # first price
        (SecondPrice(2, truthful=True), "claim 'truthful' does not hold"),  # third price
        (SecondPrice(budget_balanced=True), "claim 'budget_balanced' does not hold"),
        (SecondPrice(beautiful=True), "claim 'beautiful' has no probe"),
        (Impure(truthful=True), "must not change its argument"),
    ],
)
def test_false_claims_are_caught(mechanism: Any, says: str) -> None:
    with pytest.raises(PluginError, match=says):
        check_mechanism(mechanism)


def test_claims_of_other_mechanisms_bring_their_probe() -> None:
    class Tax:
        def properties(self) -> Mapping[str, bool]:
            return {"progressive": True}

    check_mechanism(Tax(), probes={"progressive": lambda mechanism, rng: 0.0})
    with pytest.raises(PluginError, match=r"violated by 0\.5"):
        check_mechanism(Tax(), probes={"progressive": lambda mechanism, rng: 0.5})


class Duel:
    """A vector game of two agents who guess a coin of their world."""

    backend = "numba"
    roles: ClassVar[dict[str, Role]] = {"guesser": Role(count=2, observation=(1,), actions=2)}

    def reset(self, key: int, batch: int) -> Any:
        return np.stack([np.random.default_rng((key, b)).random(20) for b in range(batch)]), 0

    def step(self, state: Any, actions: Mapping[str, Any]) -> Any:
        coins, turn = state
        hit = actions["guesser"] == (coins[:, turn : turn + 1] < 0.5)
        return (coins, turn + 1), {"guesser": hit.astype(np.float64)}

    def observe(self, state: Any, role: str) -> Any:
        coins, turn = state
        return np.repeat(coins[:, turn, None, None], 2, axis=1)

    def action_mask(self, state: Any, role: str) -> Any:
        return None


class BatchDependent(Duel):
    def reset(self, key: int, batch: int) -> Any:
        return np.random.default_rng(key).random((20, batch)).T.copy(), 0


class WrongShape(Duel):
    def observe(self, state: Any, role: str) -> Any:
        return super().observe(state, role)[:, :1]


def test_good_vector_game_passes() -> None:
    check_game(Duel)


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (BatchDependent, r"world b must depend on \(key, b\) only"),
        (WrongShape, r"observe\('guesser'\) must have shape \(4, 2, 1\), got \(4, 1, 1\)"),
        (object, "object is no game"),
    ],
)
def test_broken_games_are_caught(broken: type, says: str) -> None:
    with pytest.raises(PluginError, match=says):
        check_game(broken)


class Crowd(Counter):
    """A population of three."""

    agents = 3

    def reset(self, seeds: SeedTree) -> None:
        self.start(seeds)

    def run(self, first: int, steps: int) -> None:
        self.iteration = first - 1
        self.step(steps)

    def columns(self) -> Mapping[str, Any]:
        return {"x": self.x}


class StaleReset(Crowd):
    def reset(self, seeds: SeedTree) -> None:
        self.iteration = 0


class SplitCrowd(Crowd):
    def run(self, first: int, steps: int) -> None:
        super().run(first, steps)
        self.x += 1


def test_good_population_passes() -> None:
    check_game(Crowd)


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (StaleReset, "reset must forget the earlier run"),
        (SplitCrowd, "must equal runs of fewer steps"),
        (type("Narrow", (Crowd,), {"agents": 4}), r"column 'x' must have shape \(4,\), got \(3,\)"),
    ],
)
def test_broken_populations_are_caught(broken: type, says: str) -> None:
    with pytest.raises(PluginError, match=says):
        check_game(broken)


def parallel_env(fault: str = "") -> Callable[[], Any]:
    """Return a maker of a small PettingZoo environment with a fault."""
    from gymnasium.spaces import Box, Discrete
    from pettingzoo import ParallelEnv

    class Race(ParallelEnv):  # type: ignore[misc]
        metadata: ClassVar[dict[str, Any]] = {"name": "race_v0"}
        render_mode = None
        possible_agents = ["a", "b"]  # noqa: RUF012

        def observation_space(self, agent: str) -> Any:
            return Box(0.0, 0.5 if fault == "space" else 100.0, (1,), np.float64)

        def action_space(self, agent: str) -> Any:
            return Discrete(3)

        def seen(self) -> dict[str, Any]:
            return {a: np.array([self.place[a]]) for a in self.agents}

        def reset(self, seed: int | None = None, options: Any = None) -> Any:
            self.rng = np.random.default_rng(seed)
            self.agents = list(self.possible_agents)
            self.place = dict.fromkeys(self.agents, 0.0)
            self.turn = 0
            return self.seen(), {a: {} for a in self.agents}

        def step(self, actions: dict[str, int]) -> Any:
            self.turn += 1
            late = fault == "late seed" and self.turn > 5
            rng = np.random.default_rng() if late else self.rng
            for agent in self.agents:
                self.place[agent] += actions[agent] * float(rng.random())
            seen = self.seen()
            over = {a: fault != "endless" and self.place[a] > 8 for a in self.agents}
            if fault == "endless":
                self.place = dict.fromkeys(self.agents, 0.0)
            reward = float("nan") if fault == "reward" else 0.0
            rewards, none = dict.fromkeys(self.agents, reward), dict.fromkeys(self.agents, False)
            if fault != "ghosts":
                self.agents = [a for a in self.agents if not over[a]]
            return seen, rewards, over, none, {a: {} for a in over}

    return Race


def test_good_environment_passes() -> None:
    check_env(parallel_env())


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("late seed", "differ in observations at step 6"),  # a one-step seed test does not see this
        ("reward", "rewards must be finite"),
        ("space", "observation is outside its space"),
        ("endless", "did not end within 50 steps"),
        ("ghosts", "agents that end must leave"),
    ],
)
def test_broken_environments_are_caught(fault: str, says: str) -> None:
    with pytest.raises(PluginError, match=says):
        check_env(parallel_env(fault), max_steps=50)


def test_turn_based_environment_passes() -> None:
    from pettingzoo.utils.conversions import parallel_to_aec

    check_env(lambda: parallel_to_aec(parallel_env()()))


def test_parts_of_the_product_pass() -> None:
    from equilibria.agents import CFRPlus
    from equilibria.games.extensive import openspiel

    game = openspiel("kuhn_poker")
    check_game(lambda: game)
    check_solver(lambda: CFRPlus(game))
