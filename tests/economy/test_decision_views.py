"""Decision environments step by step: numbers of the engine, legal actions, reasons for refusals, ends, views."""

from __future__ import annotations

import itertools
import re
import warnings
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Discrete, MultiBinary, MultiDiscrete
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test

from equilibria.agents.decisions.cascading import CascadingLearner
from equilibria.games.adapters import aec_env, environment, gymnasium_env, parallel_env
from equilibria.games.adapters.registration import environment_names
from equilibria.games.decisions import cascading, restless_instances
from equilibria.games.decisions.cascading_world import CascadingWorld, DistinctItems
from equilibria.games.decisions.couplings import Capacity, Count, Path, Schedule
from equilibria.games.decisions.feed import FeedWorld
from equilibria.games.decisions.refusals import broken_constraint
from equilibria.games.decisions.restless_world import FeasibleSets, RestlessWorld
from equilibria.games.decisions.settings import CascadingSettings, FeedSettings, RestlessSettings
from equilibria.games.vector.base import VectorWorld
from equilibria.sim.errors import IllegalAction, InvalidValue, Unsupported
from equilibria.sim.philox import uniform
from equilibria.sim.seeds import SeedTree
from equilibria.testing import check_env, check_game

COUPLINGS = ("capacity", "schedule", "path", "interventions")


def lists(seed: int = 1, **settings: Any) -> CascadingWorld:
    return CascadingWorld(cascading.build(CascadingSettings(**settings), seeds=SeedTree(seed)))


def bandits(coupling: Any = "capacity", seed: int = 1, **settings: Any) -> RestlessWorld:
    made = RestlessSettings(coupling=coupling, **{"arms": 4, "workers": 3, "horizon": 6, **settings})
    return RestlessWorld(restless_instances.build(made, seeds=SeedTree(seed)))


def feed(**settings: Any) -> FeedWorld:
    return FeedWorld(FeedSettings(**{"items": 6, "horizon": 12, **settings}), seeds=SeedTree(1))


MAKERS: dict[str, Any] = {"cascading": lists, "feed": feed} | {
    c: (lambda c=c: bandits(c)) for c in COUPLINGS
}  # fmt: skip


@pytest.mark.parametrize("name", MAKERS)
def test_worlds_and_both_views_keep_their_promises(name: str) -> None:
    make = MAKERS[name]
    check_game(make, steps=9)
    check_env(lambda: parallel_env(make()), episodes=3)
    check_env(lambda: aec_env(make()), episodes=3)


@pytest.mark.parametrize("coupling", COUPLINGS[1:])
def test_pettingzoo_accepts_the_couplings_that_are_not_the_default(coupling: str) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning)  # advice on zeros in observations
        parallel_api_test(parallel_env(bandits(coupling)), num_cycles=30)
        api_test(aec_env(bandits(coupling)), num_cycles=30)
    parallel_seed_test(lambda: parallel_env(bandits(coupling)), num_cycles=10)
    seed_test(lambda: aec_env(bandits(coupling)), num_cycles=10)


def test_the_registry_lists_the_decision_environments_with_their_settings() -> None:
    assert {"cascading", "corestless", "feed_cmdp"} <= set(environment_names())
    space = environment("corestless", coupling="interventions", workers=3).action_space("agent")
    assert isinstance(space, MultiBinary) and space.shape == (6,)
    assert isinstance(environment("cascading", items=4, longest=2).action_space("agent"), MultiDiscrete)
    assert environment("feed_cmdp", items=9).action_space("recommender") == Discrete(9)
    with pytest.raises(InvalidValue, match="coupling"):
        environment("corestless", coupling="knapsack")


def test_world_0_meets_the_users_of_the_learner_with_the_same_key() -> None:
    world = lists(states=4, items=6)
    g = world.game
    vi = CascadingLearner(g, scale=0.1, explore=0.0, delta=0.05, episodes=60, seeds=SeedTree(5))
    state, returns = world.reset(int(vi._key), 3), 0.0
    seen, clicks, moves = np.zeros_like(vi._seen), np.zeros_like(vi._clicks), np.zeros_like(vi._moves)
    for _ in range(60):
        policy = vi.policy()
        for h in range(g.horizon):
            places = state.own["place"].copy()
            shown = np.array(policy[h, places], np.int64)
            shown[shown < 0] = g.items
            world.step(state, {"agent": shown[:, None]})
            count, clicked = (int(np.asarray(state.own[k])[0, 0]) for k in ("examined", "clicked"))
            seen[places[0], shown[0, :count]] += 1.0
            if clicked < g.items:
                clicks[places[0], clicked] += 1.0
            after = state.final_observation if state.ended[0] else state.observation
            moves[places[0], clicked, int(after[0, 0, :-1].argmax())] += 1.0
            returns += float(state.reward[0, 0])
        assert state.ended.all()
        vi.step(1)
    for mine, theirs in ((seen, vi._seen), (clicks, vi._clicks), (moves, vi._moves)):
        np.testing.assert_array_equal(mine, theirs)
    assert returns == pytest.approx(vi._totals[1], rel=1e-12)


def test_simulated_optimal_lists_earn_the_optimal_value() -> None:
    world = lists(states=3, items=5)
    g = world.game
    best, values = g.solve()
    best = np.where(best < 0, g.items, best)
    state = world.reset(7, 20_000)
    for h in range(g.horizon):
        world.step(state, {"agent": best[h, state.own["place"]][:, None]})
    earned = state.episode_return[:, 0]
    assert earned.mean() == pytest.approx(values[0].mean(), abs=4 * earned.std() / np.sqrt(earned.size))


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_arms_move_as_in_a_plain_loop_over_the_same_counted_numbers(coupling: str) -> None:
    world = bandits(coupling, horizon=5)
    g, key, batch = world.game, 12345, 4
    rng, state = np.random.default_rng(1), world.reset(key, batch)
    arms = np.arange(g.arms)

    def drawn(clock: int, b: int, first: int) -> Any:
        return np.array([uniform(np.uint64(key), clock, b, first + j) for j in arms])

    mine = [(drawn(0, b, g.arms) < 0.2).astype(np.int64) for b in range(batch)]
    for clock in range(1, 14):
        assert np.array_equal(state.own["arms"], mine)
        chosen = np.stack([world.action_rule("agent").draw(rng) for _ in range(batch)])
        world.step(state, {"agent": chosen[:, None]})
        for b in range(batch):
            assert state.own["expected"][b, 0] == pytest.approx(g.expected(mine[b], chosen[b]), rel=1e-12)
            up = drawn(clock, b, 0) < g.up[g.modes(chosen[b].astype(np.bool_)), arms]
            mine[b] = np.clip(np.where(up, mine[b] + 1, mine[b] - 1), 0, 3)
            assert state.reward[b, 0] == pytest.approx(g.reward[arms, mine[b]].sum(), rel=1e-12)
            if clock % 5 == 0:
                last = state.final_observation[b, 0]
                assert np.array_equal(last[:-1].reshape(-1, 4).argmax(axis=1), mine[b]) and last[-1] == 1.0
                mine[b] = (drawn(clock, b, g.arms) < 0.2).astype(np.int64)
        assert bool(state.ended.all()) is (clock % 5 == 0)


@pytest.mark.parametrize("coupling", ["capacity", "interventions"])
def test_simulated_optimal_sets_earn_the_optimal_value(coupling: str) -> None:
    world = bandits(coupling, arms=3, workers=2, horizon=8)
    g = world.game
    values, best = g.solve()
    state, digits = world.reset(3, 20_000), 4 ** np.arange(2, -1, -1)
    expected = np.zeros(20_000)
    for t in range(g.horizon):
        sets = best[t, np.asarray(state.own["arms"], np.int64) @ digits]
        world.step(state, {"agent": (sets[:, None] >> np.arange(g.controls) & 1)[:, None]})
        expected += np.asarray(state.own["expected"], np.float64)[:, 0]
    for earned in (expected, state.episode_return[:, 0]):
        error = 4 * earned.std() / np.sqrt(earned.size)
        assert earned.mean() == pytest.approx(float(g.first_states() @ values[0]), abs=error)


def test_leaving_terminates_a_session_and_its_longest_length_truncates_it() -> None:
    world = feed()
    state, seen = world.reset(5, 500), {"left": 0, "cut": 0}
    for _ in range(30):
        last = state.elapsed + 1 == world.horizon
        world.step(state, {"recommender": np.full((500, 1), 2)})
        left, cut = world.terminated(state), world.truncated(state)
        assert np.array_equal(left | cut, state.ended) and not (left & cut).any()
        assert (last | ~cut).all()
        assert (state.ended | ~last).all()
        seen["left"] += int(left.sum())
        seen["cut"] += int(cut.sum())
    assert min(seen.values()) > 100


def test_the_feed_view_shows_the_worlds_numbers_and_both_ends() -> None:
    env, world, ends = parallel_env(feed()), feed(), set()
    for seed in range(12):
        seen, _ = env.reset(seed=seed)
        assert env._state is not None
        state = world.reset(int(env._state.key), 1)
        while env.agents:
            assert np.array_equal(seen["recommender"], state.observation[0, 0])
            seen, paid, ended, cut, infos = env.step({"recommender": 3})
            world.step(state, {"recommender": np.array([[3]])})
            assert paid == {"recommender": state.reward[0, 0]}
            liked, shared = np.asarray(state.own["extra"])[0]
            assert infos == {"recommender": {"likes": liked, "shares": shared}}
            ends.add((ended["recommender"], cut["recommender"]))
    assert ends == {(False, False), (True, False), (False, True)}


def test_the_list_rule_allows_exactly_the_lists_that_it_does_not_refuse() -> None:
    rule = DistinctItems(3, 3)
    every = np.array(list(itertools.product(range(4), repeat=3)))
    legal = rule.legal(every)
    wanted = set(itertools.chain.from_iterable(itertools.permutations(range(3), k) for k in range(4)))
    assert {tuple(a for a in row if a < 3) for row in every[legal].tolist()} == wanted
    assert legal.sum() == len(wanted)
    assert [rule.refusal(row) == "the list is legal" for row in every] == legal.tolist()
    rng = np.random.default_rng(1)
    drawn = {tuple(rule.draw(rng)) for _ in range(1000)}
    assert drawn == {tuple(row) for row in every[legal].tolist()}
    assert DistinctItems(2, 4).draw(rng).shape == (4,)


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_drawn_sets_are_the_feasible_ones_and_infeasible_ones_have_a_reason(coupling: str) -> None:
    g = bandits(coupling, seed=3, workers=2, walk=4).game
    rule, rng = FeasibleSets(g.coupling), np.random.default_rng(1)
    bits = 1 << np.arange(g.controls)
    assert {int(rule.draw(rng) @ bits) for _ in range(1500)} == set(g.sets().tolist())
    refused = 0
    for mask in range(2**g.controls):
        chosen = np.array([mask >> j & 1 for j in range(g.controls)])
        reason = rule.refusal(chosen)
        if g.feasible(chosen):
            assert reason == "the set is feasible"
        else:
            refused += 1
            assert_true_reason(g.coupling, np.flatnonzero(chosen).tolist(), reason)
    assert refused


def assert_true_reason(coupling: Any, used: list[int], reason: str) -> None:
    """Check that what a refusal says is so."""
    numbers = [int(x) for x in re.findall(r"\d+", reason)]
    if isinstance(coupling, Count):
        assert numbers == [*used, coupling.most] and len(used) > coupling.most
    elif isinstance(coupling, Schedule):
        named, _, workers = reason.partition("time slot")
        crowd, few = ([int(x) for x in re.findall(r"\d+", part)] for part in (named, workers))
        assert set(crowd) <= set(used) and len(crowd) > len(few)
        assert set(np.flatnonzero(coupling.fits[crowd].any(axis=0)).tolist()) == set(few)
    elif isinstance(coupling, Path) and "shortest" in reason:
        chosen = np.isin(np.arange(coupling.controls), used)
        shortest = numbers[-1]
        assert replace_length(coupling, shortest).allows(chosen)
        assert not replace_length(coupling, shortest - 1).allows(chosen)
    elif isinstance(coupling, Path):
        assert len(used) > coupling.most and numbers == [*used, coupling.most]
    else:
        assert isinstance(coupling, Capacity)
        cost, room = coupling.cost[used], coupling.capacity
        if "largest" in reason:
            assert numbers[1:] == [cost.max(), room.max()] and cost.max() > room.max()
        elif "add up" in reason:
            assert numbers == [*used, cost.sum(), room.sum()] and cost.sum() > room.sum()
        else:
            assert numbers == [*used, *cost, *room]


def replace_length(path: Path, length: int) -> Path:
    return Path(path.edges, path.source, length, path.most)


def test_arms_that_nobody_can_reach_or_serve_are_named() -> None:
    islands = Path(np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]], np.bool_), 0, 6, 3)
    assert broken_constraint(islands, np.array([0, 1, 1])).endswith("visits arms 1, 2: no way leads to arm 2")
    idle = Schedule(np.array([[1, 1], [0, 0]], np.bool_))
    assert broken_constraint(idle, np.array([1, 1])) == "arm 1 shares a time slot with no worker"
    packed = Capacity(np.array([3, 3, 2]), np.array([4, 4]))
    assert (
        broken_constraint(packed, np.ones(3)) == "arms 0, 1, 2 with costs 3, 3, 2 cannot be packed into capacities 4, 4"
    )


def test_illegal_actions_are_refused_with_place_and_reason_and_change_nothing() -> None:
    env = parallel_env(lists(items=6))
    env.reset(seed=1)
    for action, reason in (
        ([2, 4, 2], r"agent is illegal: place 2 shows item 2 again \(first at place 0\); items must be distinct, got"),
        ([6, 1, 6], "place 1 shows item 1 after the end of the list; all places after the end must be 6"),
        ([0, 1, 7], r"must be in MultiDiscrete\(\[7 7 7\]\), got \[0, 1, 7\]"),
        ([0, 1], "must be in"),
        (np.array([0.0, 1.0, 2.0]), "must be in"),
    ):
        with pytest.raises(IllegalAction, match=reason):
            env.step({"agent": action})
    assert env._state is not None and env._state.clock == 0
    world = bandits("interventions", arms=6, workers=3)
    state = world.reset(1, 2)
    with pytest.raises(IllegalAction, match=r"agent 0 in world 1: interventions 0, 1, 2, 3, 4, 5 are used, at most 3"):
        world.step(state, {"agent": np.stack([np.zeros((1, 6), np.int64), np.ones((1, 6), np.int64)])})
    with pytest.raises(IllegalAction, match=r"part 2 .* must lie in 0\.\.1, got 2"):
        world.step(state, {"agent": np.full((2, 1, 6), [0, 0, 2, 0, 0, 0])})
    assert state.clock == 0 and not np.asarray(state.actions).any()
    with pytest.raises(Unsupported, match="by its rule"):
        env.action_space("agent").sample(mask=())


@pytest.mark.parametrize("name", MAKERS)
def test_gymnasium_shows_the_same_worlds_in_batches(name: str) -> None:
    world: VectorWorld = MAKERS[name]()
    env = gymnasium_env(MAKERS[name](), 5)
    env.action_space.seed(1)
    seen, _ = env.reset(seed=2)
    assert env._state is not None
    role = next(iter(world.roles))
    state = world.reset(int(env._state.key), 5)
    ended = 0
    for _ in range(40):
        assert np.array_equal(seen, state.observation[:, 0])
        actions = env.action_space.sample()
        assert env.action_space.contains(actions)
        seen, paid, over, cut, infos = env.step(actions)
        world.step(state, {role: np.asarray(actions, np.int64).reshape(5, 1, *world.action_shape)})
        assert np.array_equal(paid, state.reward[:, 0])
        assert np.array_equal(over, world.terminated(state)) and np.array_equal(cut, world.truncated(state))
        for key, value in world.details(state, role).items():
            assert np.array_equal(infos[key], value[:, 0]) and infos[f"_{key}"].all()
        ended += int(over.sum() + cut.sum())
    assert ended > 5


def test_batched_spaces_refuse_what_single_ones_refuse() -> None:
    env = gymnasium_env(lists(items=6), 2)
    assert env.action_space.contains(np.array([[0, 1, 2], [6, 6, 6]]))
    assert not env.action_space.contains(np.array([[0, 1, 2], [3, 3, 6]]))
    assert not env.action_space.contains(np.array([0, 1, 2]))
    again = gymnasium_env(lists(items=6), 2).action_space
    assert again == env.action_space and again != MultiDiscrete(np.full((2, 3), 7))
    env.reset(seed=0)
    with pytest.raises(IllegalAction, match="in world 1: place 1 shows item 3 again"):
        env.step(np.array([[0, 1, 2], [3, 3, 6]]))
