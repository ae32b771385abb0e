"""Compiled worlds: dynamics, known returns, independence of the batch, automatic resets, bad input."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from equilibria.games.vector import kernels
from equilibria.games.vector.aloha import Aloha, ladder
from equilibria.games.vector.base import VectorWorld, WorldState
from equilibria.games.vector.coordination import CoordinationWorld
from equilibria.games.vector.payoffs import climbing_payoff, penalty_payoff, reward_by_ones
from equilibria.games.vector.spread import SimpleSpread
from equilibria.games.vector.team_matrix import TeamMatrixWorld
from equilibria.sim.errors import GameError, IllegalAction, InvalidValue
from equilibria.testing import check_game

WORLDS: dict[str, Callable[[], VectorWorld]] = {
    "coordination": lambda: CoordinationWorld(5),
    "coordination short": lambda: CoordinationWorld(3, horizon=4),
    "climbing": TeamMatrixWorld.climbing,
    "penalty": TeamMatrixWorld.penalty,
    "tensor": lambda: TeamMatrixWorld(np.arange(24.0).reshape(2, 3, 4), horizon=3),
    "aloha": Aloha,
    "spread": SimpleSpread,
    "spread alone": lambda: SimpleSpread(1, horizon=3),
}
EVERY = pytest.mark.parametrize("make", WORLDS.values(), ids=WORLDS)


def play(world: VectorWorld, batch: int, steps: int, key: int = 11) -> list[bytes]:
    """Return what world 0 saw and earned at every step, under actions that depend on the step alone."""
    state = world.reset(key, batch)
    rng = np.random.default_rng(3)
    trace = [state.observation[0].tobytes()]
    for _ in range(steps):
        actions = {}
        for role, spec in world.roles.items():
            first = rng.integers(0, spec.actions, spec.count)
            actions[role] = np.tile(first, (batch, 1))
            actions[role][1:] = (actions[role][1:] + np.arange(batch - 1)[:, None]) % spec.actions
        world.step(state, actions)
        trace += [state.observation[0].tobytes(), state.reward[0].tobytes(), state.final_observation[0].tobytes()]
        trace.append(state.ended[:1].tobytes() + state.episode_return[0].tobytes())
    return trace


def every_agent(world: VectorWorld, batch: int, value: int) -> dict[str, np.ndarray]:
    return {role: np.full((batch, spec.count), value) for role, spec in world.roles.items()}


@EVERY
def test_world_keeps_the_contract(make: Callable[[], VectorWorld]) -> None:
    check_game(make, steps=60)


@EVERY
def test_trajectory_of_world_0_is_the_same_for_batches_1_5_33(make: Callable[[], VectorWorld]) -> None:
    alone = play(make(), 1, 60)
    assert play(make(), 5, 60) == alone
    assert play(make(), 33, 60) == alone


@pytest.mark.parametrize("name", ["coordination", "spread"])
def test_worlds_of_a_batch_and_keys_differ(name: str) -> None:
    state = WORLDS[name]().reset(1, 64)
    assert len({row.tobytes() for row in state.observation}) > 16
    assert not np.array_equal(state.observation, WORLDS[name]().reset(2, 64).observation)


@EVERY
def test_episodes_end_at_the_horizon_and_restart(make: Callable[[], VectorWorld]) -> None:
    world, total = make(), 0.0
    state = world.reset(5, 3)
    for step in range(1, 2 * world.horizon + 1):
        _, rewards = world.step(state, every_agent(world, 3, 0))
        total += next(iter(rewards.values()))[0, 0]
        over = step % world.horizon == 0
        assert state.ended.tolist() == [over] * 3
        assert (world.terminated(state) | world.truncated(state)).tolist() == [over] * 3
        assert not (world.terminated(state) & world.truncated(state)).any()
        if over:
            assert state.episode_return[0, 0] == pytest.approx(total, abs=1e-9)
            total = 0.0


@pytest.mark.parametrize("name", ["coordination", "aloha", "spread"])
def test_final_observation_is_that_of_a_world_which_goes_on(name: str) -> None:
    short, long = WORLDS[name](), WORLDS[name]()
    long.horizon = short.horizon + 1
    a, b = short.reset(9, 4), long.reset(9, 4)
    rng = np.random.default_rng(0)
    for _ in range(short.horizon):
        actions = {"agent": rng.integers(0, 2, (4, short.agents))}
        short.step(a, actions)
        long.step(b, actions)
    assert np.array_equal(a.final_observation, b.observation)
    assert not np.array_equal(a.observation, b.observation)
    assert np.array_equal(a.episode_return, b.running_return)


def returns(world: VectorWorld, choose: Callable[[WorldState, int], np.ndarray], batch: int) -> np.ndarray:
    state = world.reset(1, batch)
    for step in range(world.horizon):
        world.step(state, {"agent": choose(state, step)})
    return state.episode_return[:, 0]


def test_aloha_pays_minus_2000_when_everybody_always_transmits() -> None:
    assert returns(Aloha(), lambda s, t: np.ones((64, 10), dtype=np.int64), 64) == pytest.approx(-2000, abs=1e-9)


def test_aloha_pays_the_known_values_of_fixed_rules() -> None:
    evens = np.arange(10) % 2 == 0
    size, rng = 20_000, np.random.default_rng(0)
    static = returns(Aloha(), lambda s, t: np.tile(evens, (size, 1)).astype(np.int64), size)
    turns = returns(Aloha(), lambda s, t: np.tile(evens ^ (t % 2 == 1), (size, 1)).astype(np.int64), size)
    noise = returns(Aloha(), lambda s, t: rng.integers(0, 2, (size, 10)), size)
    assert static.mean() == pytest.approx(6.202, abs=0.02)
    assert turns.mean() == pytest.approx(9.549, abs=0.02)
    assert noise.mean() == pytest.approx(-844.1, abs=4.0)


def test_aloha_graph_has_91_independent_sets_of_at_most_5() -> None:
    graph = ladder()
    bits = (np.arange(1024)[:, None] >> np.arange(10)) & 1
    independent = np.einsum("ki,ij,kj->k", bits, graph.astype(np.int64), bits) == 0
    assert int(independent.sum()) == 91
    assert int(bits[independent].sum(axis=1).max()) == 5


def test_an_idle_neighbour_that_transmits_blocks() -> None:
    world = Aloha(np.array([[0, 1], [1, 0]]), arrival=0.0)
    state = world.reset(0, 1)
    state.own["backlog"][0] = [1, 0]
    _, rewards = world.step(state, {"agent": np.array([[1, 1]])})
    assert rewards["agent"].tolist() == [[-10.0, -10.0]]  # one sender loses, the idle one loses nothing
    _, rewards = world.step(state, {"agent": np.array([[1, 0]])})
    assert rewards["agent"].tolist() == [[0.1, 0.1]]
    assert state.own["backlog"].tolist() == [[0, 0]]


@pytest.mark.parametrize(("agents", "counts"), [(2, (2, 0, 1, 1)), (3, (3, 3, 1, 1)), (5, (10, 10, 6, 6))])
def test_coordination_rewards_have_the_published_counts(agents: int, counts: tuple[int, ...]) -> None:
    states = (np.arange(2**agents)[:, None] >> np.arange(agents)) & 1
    paid = reward_by_ones(agents)[states.sum(axis=1)]
    assert tuple(int((paid == r).sum()) for r in range(4)) == counts


def test_coordination_pays_the_closed_forms_of_constant_play() -> None:
    world = CoordinationWorld(5, horizon=1)
    size = 200_000
    ones = returns(world, lambda s, t: np.ones((size, 5), dtype=np.int64), size)
    zeros = returns(world, lambda s, t: np.zeros((size, 5), dtype=np.int64), size)
    assert ones.mean() == pytest.approx(1.91136, abs=0.01)
    assert zeros.mean() == pytest.approx(2.76464, abs=0.01)


def test_coordination_starts_with_zeros_of_probability_one_nth() -> None:
    bits = CoordinationWorld(5).reset(4, 50_000).own["bits"].astype(np.float64)
    assert bits.mean(axis=0) == pytest.approx(0.8, abs=0.01)


def test_matrix_worlds_pay_the_table() -> None:
    for world, table in (
        (TeamMatrixWorld.climbing(), climbing_payoff()),
        (TeamMatrixWorld.penalty(-100), penalty_payoff(-100)),
    ):
        state = world.reset(0, 9)
        rows, columns = (x.reshape(9, 1) for x in np.indices((3, 3)))
        _, rewards = world.step(state, {"player_0": rows, "player_1": columns})
        assert rewards["player_0"].ravel().tolist() == table.ravel().tolist()
        assert np.array_equal(rewards["player_0"], rewards["player_1"])


def test_spread_moves_pays_and_shows_like_mpe2() -> None:
    """The recorded episodes are those of mpe2 1.1.1, simple_spread_v3, with random actions."""
    recorded = json.loads((Path(__file__).parent / "spread_mpe2.json").read_text())
    world, touching = SimpleSpread(horizon=1000), 0
    for episode in recorded["episodes"]:
        state = world.reset(0, 1)
        state.own["position"][0] = episode["position"]
        state.own["landmark"][0] = episode["landmark"]
        for step in episode["steps"]:
            world.step(state, {"agent": np.array([step["actions"]])})
            np.testing.assert_allclose(state.observation[0], step["observation"], atol=1e-5)
            np.testing.assert_allclose(state.reward[0], step["reward"], atol=1e-5)
            touching += len(set(step["reward"])) > 1
    assert touching > 20  # collisions happened


def test_spread_moves_pays_and_shows_like_jaxmarl_for_a_thousand_steps() -> None:
    """Recorded by ``record_jaxmarl.py``: forty episodes of 25 steps, and 1,000 steps without a reset."""
    recorded = json.loads((Path(__file__).parent / "spread_jaxmarl.json").read_text())
    world, touching = SimpleSpread(horizon=10_000), 0
    assert [len(run["actions"]) // 3 for run in recorded["runs"]] == [25] * 40 + [1000]
    for run in recorded["runs"]:
        state = world.reset(0, 1)
        state.own["position"][0] = run["position"]
        state.own["landmark"][0] = run["landmark"]
        actions = np.array(list(run["actions"]), dtype=np.int64).reshape(-1, 1, 3)
        often = len(actions) // len(run["reward"])
        for t, chosen in enumerate(actions, start=1):
            world.step(state, {"agent": chosen})
            if t % often == 0:
                paid = run["reward"][t // often - 1]
                np.testing.assert_allclose(state.reward[0], paid, rtol=0, atol=1e-6)
                touching += len(set(paid)) > 1
            if t % 25 == 0:
                np.testing.assert_allclose(state.observation[0, :, :14], run["looks"][t // 25 - 1], rtol=0, atol=3e-6)
    assert touching > 20  # collisions happened


@pytest.mark.heavy
def test_ten_million_steps_take_no_more_memory_and_count_episodes_exactly() -> None:
    """1,024 worlds x 10,000 steps of 25: 400 episodes each; resident memory within 5 MB."""
    world = SimpleSpread()
    state = world.reset(1, 1024)
    actions = {"agent": np.random.default_rng(0).integers(0, 5, (1024, 3))}
    ended = np.zeros(1024, np.int64)
    before = 0
    for t in range(10_000):
        world.step(state, actions)
        ended += state.ended
        if t == 100:
            before = resident()
    assert (ended == 400).all()
    assert state.clock == 10_000 and (state.elapsed == 0).all()
    assert abs(resident() - before) <= 5_000_000


def resident() -> int:
    """Return the bytes this process holds in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_particles_in_one_place_stay_finite() -> None:
    world = SimpleSpread(2)
    state = world.reset(0, 1)
    state.own["position"][:] = 0.25
    world.step(state, {"agent": np.zeros((1, 2), dtype=np.int64)})
    assert np.isfinite(state.observation).all()
    assert np.isfinite(state.reward).all()


def test_steps_allocate_no_state() -> None:
    world = SimpleSpread()
    state = world.reset(0, 8)
    buffers = [id(a) for a in (state.observation, state.reward, state.ended, *state.own.values())]
    actions = {"agent": np.zeros((8, 3), dtype=np.int64)}
    for _ in range(30):
        assert world.step(state, actions)[0] is state
    assert buffers == [id(a) for a in (state.observation, state.reward, state.ended, *state.own.values())]


@pytest.mark.parametrize(
    ("actions", "says"),
    [
        ({}, "no actions for role 'agent'"),
        ({"agent": np.zeros((2, 9), dtype=np.int64)}, r"integers of shape \(2, 10\), got int64 \(2, 9\)"),
        ({"agent": np.zeros((2, 10))}, "must be integers"),
        ({"agent": np.eye(2, 10, dtype=np.int64) * 2}, r"agent 0 in world 0 must lie in 0\.\.1, got 2"),
    ],
)
def test_bad_actions_are_refused_by_name(actions: dict[str, np.ndarray], says: str) -> None:
    world = Aloha()
    state = world.reset(0, 2)
    with pytest.raises(IllegalAction, match=says):
        world.step(state, actions)
    assert state.clock == 0


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: CoordinationWorld(4), "no published margin for 4 agents"),
        (lambda: CoordinationWorld(1), "at least 2 agents"),
        (lambda: CoordinationWorld(3, noise=0.6), r"noise must lie in \[0, 0.5\]"),
        (lambda: CoordinationWorld(3, margin=3), "margin must lie in"),
        (lambda: Aloha(np.ones((2, 3))), "square matrix"),
        (lambda: Aloha(np.ones((2, 2))), "without self-loops"),
        (lambda: Aloha(arrival=1.5), "arrival"),
        (lambda: Aloha(capacity=0), "capacity"),
        (lambda: Aloha(horizon=0), "horizon must be at least 1"),
        (lambda: SimpleSpread(0), "agents must lie in"),
        (lambda: SimpleSpread(local_ratio=2), "local_ratio"),
        (lambda: TeamMatrixWorld([[1.0, np.nan]]), r"joint action \[0, 1\] must be finite"),
        (lambda: TeamMatrixWorld.penalty(3), "must be finite and <= 0"),
        (lambda: Aloha().reset(0, 0), "batch must lie in"),
        (lambda: Aloha().reset(-1, 1), "key must lie in"),
    ],
)
def test_bad_settings_are_refused_by_name(make: Callable[[], object], says: str) -> None:
    with pytest.raises(InvalidValue, match=says):
        make()


def test_an_unknown_role_is_refused_by_name() -> None:
    world = Aloha()
    with pytest.raises(GameError, match="no role 'agents'; it has agent"):
        world.observe(world.reset(0, 1), "agents")


def test_the_compiled_step_equals_plain_python() -> None:
    compiled, plain = SimpleSpread(), SimpleSpread()
    a, b = compiled.reset(2, 3), plain.reset(2, 3)
    rng = np.random.default_rng(1)
    for _ in range(5):
        actions = rng.integers(0, 5, (3, 3))
        compiled.step(a, {"agent": actions})
        own = b.own
        b.actions[:] = actions
        b.clock += 1
        kernels.spread_advance.py_func(  # type: ignore[attr-defined]
            b.key, b.clock, 25, 0.5, b.elapsed, own["position"], own["velocity"], own["landmark"], own["force"],
            b.actions, b.reward, b.observation, b.final_observation, b.ended,
        )  # fmt: skip
    np.testing.assert_allclose(a.observation, b.observation, atol=1e-6)
    np.testing.assert_allclose(a.reward, b.reward, atol=1e-12)
