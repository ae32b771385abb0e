"""Population-varying particle worlds: physics, pay, observations, families, independence of the batch."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test

from equilibria.games.adapters.pettingzoo import aec_env, parallel_env
from equilibria.games.vector.families import family
from equilibria.games.vector.particles import ParticleWorld, ResourceOccupation, TreasureCollection, own_rows
from equilibria.sim.errors import InvalidValue
from equilibria.testing import check_env, check_game

WORLDS: dict[str, Callable[[], ParticleWorld]] = {
    "occupation": lambda: ResourceOccupation(3),
    "occupation, own shares": lambda: ResourceOccupation(4, reward="individual"),
    "occupation, differences": lambda: ResourceOccupation(2, reward="difference", resources=2),
    "treasures": lambda: TreasureCollection(3),
    "treasures, own shares": lambda: TreasureCollection(5, reward="individual", horizon=7),
}
EVERY = pytest.mark.parametrize("make", WORLDS.values(), ids=WORLDS)
MOVES = np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]], dtype=np.float64)


def reference_move(position: np.ndarray, velocity: np.ndarray, actions: np.ndarray) -> None:
    """Move the agents of one world in place, agent by agent."""
    force = 5.0 * MOVES[actions]
    for i in range(len(position)):
        for k in range(len(position)):
            if i != k:
                gap = position[i] - position[k]
                d = float(np.hypot(*gap))
                force[i] += 100.0 * gap / d * 0.001 * np.logaddexp(0.0, -(d - 0.1) / 0.001)
    velocity *= 0.75
    velocity += 0.1 * force
    position += 0.1 * velocity


def touching(position: np.ndarray, site: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return [N, L] whether an agent touches a site."""
    gaps = position[:, None] - site[None]
    return np.asarray(np.hypot(gaps[..., 0], gaps[..., 1]) < sizes + 0.05)


def reference_observation(
    i: int, position: np.ndarray, velocity: np.ndarray, site: np.ndarray, sizes: np.ndarray
) -> np.ndarray:
    def view(j: int) -> list[float]:
        return [x for k, s in enumerate(sizes) for x in (*(site[k] - position[j]), s)]

    seen: list[float] = [*velocity[i], *position[i]]
    for j in range(len(position)):
        if j != i:
            seen += [*(position[j] - position[i]), *velocity[j], *view(j)]
    return np.array([*seen, *view(i)])


@EVERY
def test_world_keeps_the_contract(make: Callable[[], ParticleWorld]) -> None:
    check_game(make, steps=60)


@EVERY
def test_trajectory_of_world_0_is_the_same_for_batches_1_5_33(make: Callable[[], ParticleWorld]) -> None:
    def trace(batch: int) -> list[bytes]:
        world, rng = make(), np.random.default_rng(3)
        state = world.reset(11, batch)
        out = [state.observation[0].tobytes()]
        for _ in range(60):
            actions = np.tile(rng.integers(0, 5, world.agents), (batch, 1))
            actions[1:] = (actions[1:] + np.arange(batch - 1)[:, None]) % 5
            world.step(state, {"agent": actions})
            out += [state.observation[0].tobytes(), state.reward[0].tobytes(), state.own["team"][:1].tobytes()]
        return out

    assert trace(1) == trace(5) == trace(33)


@EVERY
# advice on fixed-size vectors: particles may fly away
@pytest.mark.filterwarnings("ignore:Agent's m.* observation space value is")
def test_views_pass_pettingzoo_and_our_test_over_full_episodes(make: Callable[[], ParticleWorld]) -> None:
    parallel_api_test(parallel_env(make()), num_cycles=100)
    parallel_seed_test(lambda: parallel_env(make()), num_cycles=30)
    api_test(aec_env(make()), num_cycles=100)
    seed_test(lambda: aec_env(make()), num_cycles=30)
    check_env(lambda: parallel_env(make()), episodes=2)


def test_a_lone_push_has_the_closed_form() -> None:
    world = ResourceOccupation(2)
    state = world.reset(0, 1)
    state.own["position"][0] = [[0.0, 0.0], [5.0, 5.0]]
    speeds, places = [], []
    for _ in range(3):
        world.step(state, {"agent": np.array([[1, 0]])})
        speeds.append(state.own["velocity"][0, 0, 0])
        places.append(state.own["position"][0, 0, 0])
    assert speeds == pytest.approx([0.5, 0.875, 1.15625], abs=1e-12)
    assert places == pytest.approx([0.05, 0.1375, 0.253125], abs=1e-12)


@pytest.mark.parametrize("agents", [2, 7, 12])
@pytest.mark.parametrize("kind", [ResourceOccupation, TreasureCollection])
def test_the_compiled_step_equals_a_step_agent_by_agent(kind: type[ParticleWorld], agents: int) -> None:
    world = kind(agents, horizon=1000)  # type: ignore[call-arg]
    state, rng = world.reset(5, 2), np.random.default_rng(0)
    state.own["position"][:] = 0.3 * state.own["position"].astype(np.float64)  # crowded, so that agents push each other
    position, velocity = state.own["position"][0].copy(), state.own["velocity"][0].copy()
    bumps = 0
    for _ in range(100):
        site = state.own["site"][0].copy()
        actions = rng.integers(0, 5, (2, agents))
        _, rewards = world.step(state, {"agent": actions})
        reference_move(position, velocity, actions[0])
        np.testing.assert_allclose(state.own["position"][0], position, atol=1e-10)
        np.testing.assert_allclose(state.own["velocity"][0], velocity, atol=1e-10)
        taken = touching(position, site, world.sizes).any(axis=0)
        gaps = position[:, None] - position[None]
        pairs = int(((np.hypot(gaps[..., 0], gaps[..., 1]) < 0.1).sum() - agents) // 2)
        bumps += pairs
        paid = 10 * world.sizes[taken].sum() if kind is ResourceOccupation else taken.sum() - 0.1 * pairs
        np.testing.assert_allclose(rewards["agent"][0], paid, atol=1e-9)
        assert world.team_reward(state)[0] == pytest.approx(paid, abs=1e-9)
        moved = (state.own["site"][0] != site).any(axis=1)
        assert moved.tolist() == (taken.tolist() if kind is TreasureCollection else [False] * 6)
        for i in range(agents):
            seen = reference_observation(i, position, velocity, state.own["site"][0], world.sizes)
            np.testing.assert_allclose(state.observation[0, i], seen, atol=1e-6)
    assert bumps > 0


@pytest.mark.parametrize("kind", [ResourceOccupation, TreasureCollection])
def test_individual_shares_sum_to_the_team_reward(kind: type[ParticleWorld]) -> None:
    team, own = kind(12), kind(12, reward="individual")  # type: ignore[call-arg]
    a, b, rng = team.reset(3, 64), own.reset(3, 64), np.random.default_rng(1)
    for _ in range(20):
        actions = {"agent": rng.integers(0, 5, (64, 12))}
        _, paid = team.step(a, actions)
        _, shares = own.step(b, actions)
        np.testing.assert_allclose(shares["agent"].sum(axis=1), paid["agent"][:, 0], atol=1e-9)
        assert (paid["agent"] == paid["agent"][:, :1]).all()
        np.testing.assert_allclose(own.team_reward(b), team.team_reward(a), atol=0)


def test_the_team_reward_is_ten_times_the_size_of_occupied_resources() -> None:
    world = ResourceOccupation(9)
    state, rng = world.reset(8, 32), np.random.default_rng(1)
    for _ in range(19):
        world.step(state, {"agent": rng.integers(0, 5, (32, 9))})
        for b in range(32):
            taken = touching(state.own["position"][b], state.own["site"][b], world.sizes).any(axis=0)
            assert state.reward[b, 0] == pytest.approx(10 * world.sizes[taken].sum(), abs=1e-9)


def test_differences_are_what_the_team_loses_without_the_agent() -> None:
    world = ResourceOccupation(12, reward="difference")
    state, rng = world.reset(8, 16), np.random.default_rng(1)
    for _ in range(19):
        world.step(state, {"agent": rng.integers(0, 5, (16, 12))})
        for b in range(16):
            on = touching(state.own["position"][b], state.own["site"][b], world.sizes)
            for i in range(12):
                rest = np.delete(on, i, axis=0).any(axis=0)
                loss = 10 * world.sizes[on.any(axis=0)].sum() - 10 * world.sizes[rest].sum()
                assert state.reward[b, i] == pytest.approx(loss, abs=1e-9)


@pytest.mark.parametrize(("agents", "idle", "noise"), [(3, 1.55, 1.36), (6, 2.86, 2.61), (24, 7.18, 6.39)])
def test_fixed_rules_earn_the_known_returns(agents: int, idle: float, noise: float) -> None:
    world, size = ResourceOccupation(agents, check_actions=False), 2000
    rng, found = np.random.default_rng(0), []
    for random in (False, True):
        state = world.reset(1, size)
        for _ in range(20):
            world.step(state, {"agent": rng.integers(0, 5, (size, agents)) * random})
        found.append(state.episode_return[:, 0].mean() / 20)
    # the reference means come from few episodes and are good to 0.15
    assert found == pytest.approx([idle, noise], abs=0.2)


def test_first_steps_without_action_earn_the_geometric_expectation() -> None:
    """Two uniform points of a square of side 2 are closer than r with probability pi r^2/4 - r^3/3 + r^4/32."""
    world, size = ResourceOccupation(12), 20_000
    state = world.reset(2, size)
    world.step(state, {"agent": np.zeros((size, 12), np.int64)})
    r = world.sizes + 0.05
    near = math.pi * r**2 / 4 - r**3 / 3 + r**4 / 32
    # agents are independent given the place of a resource, and rarer near the border: Jensen makes this an upper bound
    bound = float((10 * world.sizes * (1 - (1 - near) ** 12)).sum())
    assert bound - 0.25 < state.reward[:, 0].mean() < bound


def test_rows_hold_what_full_observations_hold() -> None:
    world = ResourceOccupation(5)
    state = world.reset(4, 3)
    world.step(state, {"agent": np.full((3, 5), 3)})
    rows = world.rows(state)
    assert rows.shape == (3, 5, 22)
    seen = state.observation[1, 2, 4:-18].reshape(4, 22)
    for at, j in enumerate([0, 1, 3, 4]):
        place = rows[1, j, 2:4] - rows[1, 2, 2:4]
        np.testing.assert_allclose(seen[at], [*place, *rows[1, j, :2], *rows[1, j, 4:]], atol=1e-6)
    np.testing.assert_array_equal(own_rows(state.observation, 6), rows)


def test_final_observation_is_the_last_look_at_the_old_episode() -> None:
    short, long = TreasureCollection(4, horizon=5), TreasureCollection(4, horizon=6)
    a, b, rng = short.reset(9, 8), long.reset(9, 8), np.random.default_rng(0)
    for _ in range(5):
        actions = {"agent": rng.integers(0, 5, (8, 4))}
        short.step(a, actions)
        long.step(b, actions)
    assert short.truncated(a).all()
    assert not short.terminated(a).any()
    assert np.array_equal(a.final_observation, b.observation)
    assert not np.array_equal(a.observation, b.observation)


def test_agents_in_one_place_stay_finite() -> None:
    world = ResourceOccupation(3)
    state = world.reset(0, 1)
    state.own["position"][:] = 0.5
    world.step(state, {"agent": np.array([[0, 1, 2]])})
    assert np.isfinite(state.observation).all()


def test_a_family_builds_worlds_of_any_population() -> None:
    worlds = family(ResourceOccupation, [3, 6, 9], [12, 24], horizon=4)
    assert worlds.name == "resource_occupation"
    assert worlds.populations == (3, 6, 9, 12, 24)
    for n in worlds.populations:
        world = worlds.world(n, "difference")
        assert (world.agents, world.horizon, world.reward) == (n, 4, "difference")
        assert world.roles["agent"].observation == (4 + 22 * (n - 1) + 18,)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: ResourceOccupation(1), r"agents must lie in 2\.\.128 \(others are needed\), got 1"),
        (lambda: ResourceOccupation(3, reward="mine"), "reward must be one of"),  # type: ignore[arg-type]
        (lambda: ResourceOccupation(3, resources=0), "resources must lie in"),
        (lambda: ResourceOccupation(3, horizon=0), "horizon must be at least 1"),
        (lambda: TreasureCollection(3, penalty=-1.0), "penalty must be finite"),
        (lambda: TreasureCollection(3, treasures=21), "treasures must lie in"),
        (lambda: family(ResourceOccupation, []), "at least one number"),
        (lambda: family(ResourceOccupation, [3, 3]), "3 agents are listed more than once"),
        (lambda: family(ResourceOccupation, [3], [3]), "3 agents are listed more than once"),
        (lambda: family(ResourceOccupation, [1]), r"must lie in 2\.\.128, got 1"),
    ],
)
def test_bad_settings_are_refused_by_name(make: Callable[[], object], says: str) -> None:
    with pytest.raises(InvalidValue, match=says):
        make()
