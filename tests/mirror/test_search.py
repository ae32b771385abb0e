"""Update-equivalent search: the tables of its scaled-down experiments, beliefs, particles, bad input."""

from __future__ import annotations

import numpy as np
import pytest

from equilibria.agents.solvers.search.beliefs import SearchTree
from equilibria.agents.solvers.search.decision import search
from equilibria.agents.solvers.search.solver import MDS, MMDS
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.lp import sequence_form_lp
from equilibria.games.extensive.policy import BehaviouralPolicy, random_policy, uniform_policy
from equilibria.games.extensive.spiel import openspiel
from equilibria.games.extensive.values import expected_values, exploitability
from equilibria.sim.contract import Solver
from equilibria.sim.errors import InvalidValue, NumericalError
from equilibria.sim.seeds import SeedTree


@pytest.fixture(scope="module")
def hanabi() -> ExtensiveGame:
    return openspiel("tiny_hanabi")


@pytest.fixture(scope="module")
def kuhn() -> ExtensiveGame:
    return openspiel("kuhn_poker")


ONE_STEP = {0.01: 3.786677746, 0.1: 4.352507075, 0.3: 5.464489460, 1: 7.455743552, 3: 7.991879917, 10: 7.999999992}


@pytest.mark.parametrize(("eta", "value"), ONE_STEP.items())
def test_one_search_improves_a_uniform_blueprint(hanabi: ExtensiveGame, eta: float, value: float) -> None:
    solver = MDS(hanabi, eta=eta)
    assert expected_values(hanabi, solver.policy())[0] == pytest.approx(67 / 18, abs=1e-12)
    solver.step(1)
    assert expected_values(hanabi, solver.policy())[0] == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(("eta", "value"), [(0.1, 9.999999997), (1, 9.999999997), (10, 9.999999997), (100, 8.0)])
def test_repeated_search_finds_the_optimum_unless_the_step_is_too_large(
    hanabi: ExtensiveGame, eta: float, value: float
) -> None:
    solver = MDS(hanabi, eta=eta)
    solver.step(1000)
    assert expected_values(hanabi, solver.policy())[0] == pytest.approx(value, abs=1e-8)


def test_search_from_random_blueprints_never_lowers_a_common_payoff_and_often_finds_the_optimum(
    hanabi: ExtensiveGame,
) -> None:
    """Blueprint s is drawn from Dirichlet(1) with seed s.

    Over many more starts one step with eta >= 30 lowers the payoff about once in 100 and 47 % reach the
    optimum 10, the others the local optimum 9; the reference speaks of 50 starts and so does this test.
    """
    arrays, reached = hanabi.arrays, 0
    for seed in range(50):
        rng, probs = np.random.default_rng(seed), np.ones(arrays.sequences)
        for first, count in zip(arrays.first.tolist(), arrays.nact.tolist(), strict=True):
            probs[first : first + count] = rng.dirichlet(np.ones(count))
        blueprint = BehaviouralPolicy(hanabi, probs)
        before = expected_values(hanabi, blueprint)[0]
        for eta in (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0):
            solver = MDS(hanabi, blueprint=blueprint, eta=eta)
            solver.step(1)
            assert expected_values(hanabi, solver.policy())[0] >= before
        solver = MDS(hanabi, blueprint=blueprint, eta=1.0)
        solver.step(500)
        reached += expected_values(hanabi, solver.policy())[0] > 9.99
    assert 25 <= reached <= 38  # 50 to 75 %


ADVERSARIAL = {
    "kuhn_poker": (0.4583, (0.3917, 0.2260, 0.2421, 0.2685, 0.3095, 0.3270, 0.3322, 0.3332)),
    "dark_hex(board_size=2,gameversion=adh)": (
        0.4167, (0.4073, 0.3719, 0.3329, 0.2711, 0.2092, 0.2129, 0.2270, 0.2401)
    ),
    "liars_dice(dice_sides=4)": (0.6551, (0.6348, 0.5570, 0.4792, 0.3887, 0.3155, 0.3354, 0.3621, 0.3765)),
    "leduc_poker": (2.3736, (1.7569, 1.8481, 2.1963, 2.4785, 2.6805, 2.7641, 2.8346, 2.9537)),
}  # fmt: skip


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_magnetic_search_lowers_exploitability_for_some_step(name: str) -> None:
    game, (before, after) = openspiel(name), ADVERSARIAL[name]
    assert exploitability(game, uniform_policy(game)) == pytest.approx(before, abs=5e-4)
    found = []
    for eta in (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0):
        solver = MMDS(game, eta=eta)
        solver.step(1)
        found.append(exploitability(game, solver.policy()))
    assert found == pytest.approx(after, abs=5e-4)
    assert min(found) < 0.75 * before


def test_sampled_search_converges_like_one_over_root_n(kuhn: ExtensiveGame) -> None:
    exact = MMDS(kuhn, eta=0.5)
    exact.step(1)
    error = {}
    for particles in (100, 10_000):
        gaps = []
        for seed in range(8):
            solver = MMDS(kuhn, eta=0.5, particles=particles, seeds=SeedTree(seed))
            solver.step(1)
            gaps.append(np.abs(solver.policy().probs - exact.policy().probs).mean())
        error[particles] = float(np.mean(gaps))
    assert 6.0 < error[100] / error[10_000] < 16.0


@pytest.mark.parametrize("seed", range(10))
def test_ten_particles_with_a_hundred_rollouts_come_within_five_percent(kuhn: ExtensiveGame, seed: int) -> None:
    solver = MMDS(kuhn, eta=0.5, particles=10, rollouts=100, seeds=SeedTree(seed))
    solver.step(1)
    assert exploitability(kuhn, solver.policy()) == pytest.approx(0.2260, rel=0.05)


def test_beliefs_follow_bayes(kuhn: ExtensiveGame) -> None:
    tree, policy = SearchTree(kuhn), random_policy(kuhn, np.random.default_rng(1))
    histories, probabilities = tree.belief(kuhn.index[1, "1b"], policy.probs)
    # player 1 holds the queen and faces a bet: the jack or the king bet
    jack, king = policy.prob(0, "0")[1], policy.prob(0, "2")[1]
    assert sorted(probabilities) == pytest.approx(sorted([jack / (jack + king), king / (jack + king)]))
    drawn = tree.rejection(kuhn.index[1, "1b"], policy.probs, 2000, np.random.default_rng(2), max_tries=100_000)
    share = float(np.mean(drawn == histories[0]))
    assert share == pytest.approx(float(probabilities[0]), abs=4 * 0.5 / np.sqrt(2000))


def test_particles_are_drawn_systematically_and_without_bias() -> None:
    from equilibria.agents.solvers.search import kernels

    members, weights = np.array([3, 5, 7, 9], dtype=np.uint32), np.zeros(10)
    weights[[3, 5, 9]] = 0.2, 0.5, 0.3
    drawn = np.zeros(7, dtype=np.uint32)
    total = np.zeros(10)
    for draw in np.linspace(0.0, 1.0, 2000, endpoint=False):
        kernels.sample_histories(members, weights, 1.0, draw, drawn)
        counts = np.bincount(drawn, minlength=10)
        assert np.abs(counts - 7 * weights).max() < 1.0
        total += counts
    np.testing.assert_allclose(total / total.sum(), weights, atol=1e-3)


@pytest.mark.parametrize("belief", ["exact", "rejection"])
def test_one_decision_agrees_with_exact_values(kuhn: ExtensiveGame, belief: str) -> None:
    tree, blueprint = SearchTree(kuhn), uniform_policy(kuhn)
    arguments = {"rng": np.random.default_rng(0), "eta": 0.5}
    exact = search(tree, blueprint, 1, "1b", n_particles=0, **arguments)  # type: ignore[arg-type]
    assert exact.q == pytest.approx([-1.0, 0.0])
    sampled = search(tree, blueprint, 1, "1b", n_particles=2000, belief=belief, **arguments)  # type: ignore[arg-type]
    assert sampled.particles == 2000
    assert np.abs(sampled.policy - exact.policy).max() < 0.05
    assert search(tree, blueprint, 1, "1b", n_particles=0, act="argmax", **arguments).action == 1  # type: ignore[arg-type]


def test_belief_models_are_used_and_checked(kuhn: ExtensiveGame) -> None:
    tree, blueprint, rng = SearchTree(kuhn), uniform_policy(kuhn), np.random.default_rng(0)
    own = tree.belief(kuhn.index[1, "1b"], blueprint.probs)[0]
    result = search(tree, blueprint, 1, "1b", rng=rng, belief=lambda player, text, n: np.repeat(own[:1], n))
    assert result.particles == 10
    assert abs(result.q[1]) == pytest.approx(2.0)  # a certain card makes calling win or lose two
    with pytest.raises(InvalidValue, match="belief gave history 0, not one of infoset '1b'"):
        search(tree, blueprint, 1, "1b", rng=rng, belief=lambda player, text, n: np.zeros(n, dtype=np.int64))


def test_impossible_infosets_raise_or_keep_the_blueprint(kuhn: ExtensiveGame) -> None:
    tree, rng = SearchTree(kuhn), np.random.default_rng(0)
    never_bets = BehaviouralPolicy.from_table(kuhn, {(0, card): (1.0, 0.0) for card in "012"})
    for n_particles in (0, 10):
        with pytest.raises(InvalidValue, match="infoset '1b' of player 1 cannot be reached under the blueprint"):
            search(tree, never_bets, 1, "1b", rng=rng, n_particles=n_particles)
        kept = search(tree, never_bets, 1, "1b", rng=rng, n_particles=n_particles, on_empty_belief="blueprint")
        assert kept.policy.tolist() == [0.5, 0.5]
    with pytest.raises(InvalidValue, match="cannot be reached"):
        search(tree, never_bets, 1, "1b", rng=rng, belief="rejection", max_tries=50)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"infostate": "9z"}, "has no infoset '9z'"),
        ({"n_particles": -1}, "n_particles must be >= 0"),
        ({"rollouts_per_action": 0}, "rollouts_per_action >= 1"),
        ({"update": "cfr"}, "unknown update 'cfr'"),
        ({"act": "max"}, "unknown act 'max'"),
        ({"belief": "learned"}, "belief must be 'exact', 'rejection' or a function"),
        ({"eta": -1.0}, "eta .* must be positive"),
    ],
)
def test_bad_arguments_are_named(kuhn: ExtensiveGame, arguments: dict[str, object], text: str) -> None:
    everything: dict[str, object] = {"infostate": "1b", "rng": np.random.default_rng(0), **arguments}
    with pytest.raises(InvalidValue, match=text):
        search(SearchTree(kuhn), uniform_policy(kuhn), 1, **everything)  # type: ignore[arg-type]


@pytest.mark.parametrize("particles", [0, 5])
def test_search_resumes_bit_for_bit(kuhn: ExtensiveGame, particles: int) -> None:
    solvers = [MMDS(kuhn, particles=particles, seeds=SeedTree(4)) for _ in range(3)]
    whole, first, second = solvers
    whole.step(7)
    first.step(3)
    second.load(first.save())
    second.step(4)
    assert whole.policy().probs.tobytes() == second.policy().probs.tobytes()
    assert isinstance(whole, Solver)
    assert whole.certificate().value == pytest.approx(exploitability(kuhn, whole.policy()))


def test_repeated_magnetic_search_is_magnetic_mirror_descent(kuhn: ExtensiveGame) -> None:
    from equilibria.agents.solvers.mirror.solver import MMD

    searcher = MMDS(kuhn, eta=0.02, alpha=0.2)
    learner = MMD(kuhn, schedule="constant", alpha=0.2, eta=0.02)
    searcher.step(500)
    learner.step(500)
    # the learner keeps probabilities, the searcher their logarithms: equal up to rounding
    np.testing.assert_allclose(searcher.policy().probs, learner.policy().probs, rtol=1e-11)


def test_overflow_is_a_named_error(kuhn: ExtensiveGame) -> None:
    with pytest.raises(NumericalError, match="policy became nan"):
        MMDS(kuhn, eta=1e308, alpha=0.0, floor=0.0).step(3)


def test_blueprints_with_zeros_are_searched_from(kuhn: ExtensiveGame) -> None:
    nash = sequence_form_lp(kuhn).policy
    solver = MMDS(kuhn, blueprint=nash, eta=0.1)
    solver.step(1)
    assert np.isfinite(solver.policy().probs).all()
    assert exploitability(kuhn, solver.policy()) < 0.05
