"""Values, best responses and NashConv against OpenSpiel and known answers."""

from __future__ import annotations

import numpy as np
import pyspiel
import pytest

from equilibria.games.extensive import (
    BehaviouralPolicy,
    ExtensiveGame,
    best_response,
    expected_values,
    exploitability,
    gains,
    gradient,
    kernels,
    nash_conv,
    openspiel,
    random_policy,
    realisation_plan,
    uniform_policy,
)
from equilibria.games.extensive.parallel import gradient_blocks, row_blocks
from equilibria.games.extensive.policy import behavioural
from equilibria.games.extensive.tables import policy_table, reach_and_regret
from equilibria.sim.errors import InvalidValue

GOOFSPIEL_4 = "turn_based_simultaneous_game(game=goofspiel(num_cards=4,imp_info=True,points_order=descending))"
GAMES = ["kuhn_poker", "kuhn_poker(players=3)", GOOFSPIEL_4, "tiny_hanabi"]
LARGER = ["kuhn_poker(players=4)", "leduc_poker", "sheriff"]


def compare_with_openspiel(name: str, seeds: range) -> None:
    game, other = openspiel(name), pyspiel.load_game(name)
    for seed in seeds:
        policy = random_policy(game, np.random.default_rng(seed))
        table = policy.to_openspiel()
        tolerance = 1e-10 * game.utility_range
        theirs = pyspiel.expected_returns(other.new_initial_state(), table, -1, True)
        assert expected_values(game, policy) == pytest.approx(theirs, abs=tolerance)
        conv = pyspiel.nash_conv(other, table)
        assert nash_conv(game, policy) == pytest.approx(conv, abs=tolerance)
        # each player's gain separately: deviate and let OpenSpiel evaluate the deviation
        for player in range(game.players):
            value, profile = best_response(game, policy, player)
            returns = pyspiel.expected_returns(other.new_initial_state(), profile.to_openspiel(), -1, True)
            assert value == pytest.approx(returns[player], abs=tolerance)


@pytest.mark.parametrize("name", GAMES)
def test_random_profiles_have_openspiels_values(name: str) -> None:
    compare_with_openspiel(name, range(20))


@pytest.mark.heavy
@pytest.mark.parametrize("name", LARGER)
def test_random_profiles_of_larger_games_have_openspiels_values(name: str) -> None:
    compare_with_openspiel(name, range(3))


@pytest.mark.slow
@pytest.mark.parametrize("name", GAMES + LARGER)
def test_a_hundred_random_profiles_have_openspiels_values(name: str) -> None:
    compare_with_openspiel(name, range(100))


@pytest.mark.parametrize(
    ("name", "conv"),
    [
        ("kuhn_poker", 0.9166666666666666),
        ("kuhn_poker(players=3)", 2.0625),
        ("leduc_poker", 4.747222222222222),
        ("tiny_hanabi", 3.888888888888889),
        ("liars_dice(numdice=1,dice_sides=3)", 1.1111111111111112),
    ],
)
def test_nash_conv_of_the_uniform_profile_is_known(name: str, conv: float) -> None:
    game = openspiel(name)
    assert nash_conv(game, uniform_policy(game)) == pytest.approx(conv, abs=1e-12)
    assert exploitability(game, uniform_policy(game)) == pytest.approx(conv / game.players, abs=1e-12)


@pytest.mark.parametrize("name", [*GAMES, "leduc_poker"])
def test_gains_are_never_negative_and_sums_are_constant(name: str) -> None:
    game = openspiel(name)
    for seed in range(5):
        policy = random_policy(game, np.random.default_rng(seed))
        assert (gains(game, policy) >= -1e-12).all()
        if game.constant_sum is not None:
            assert expected_values(game, policy).sum() == pytest.approx(game.constant_sum, abs=1e-12)


@pytest.mark.parametrize("name", [*GAMES, "leduc_poker"])
def test_policy_weighted_regrets_vanish_at_every_infoset(name: str) -> None:
    game = openspiel(name)
    a = game.arrays
    for policy in (uniform_policy(game), random_policy(game, np.random.default_rng(3))):
        reach, regret = reach_and_regret(game, policy)
        for i in range(a.infosets):
            s = slice(int(a.first[i]), int(a.first[i] + a.nact[i]))
            assert abs(float(policy.probs[s] @ regret[s])) <= 1e-12 * game.utility_range
        assert (reach >= 0).all()
        assert reach.max() <= 1 + 1e-12


def test_root_infosets_of_kuhn_are_reached_with_a_third_each() -> None:
    game = openspiel("kuhn_poker")
    table = policy_table(game, uniform_policy(game))
    by_name = {
        (int(p), str(t)): float(r)
        for p, t, r in zip(*(table[c] for c in ("player", "infostate", "reach")), strict=True)
    }
    assert by_name[0, "0"] == pytest.approx(1 / 3)
    assert by_name[1, "2pb" if (1, "2pb") in by_name else "2b"] == pytest.approx(1 / 6)
    assert all(len(column) == 24 for column in table.values())


@pytest.mark.parametrize("ties", ["first", "uniform"])
def test_a_best_response_earns_its_value(ties: str) -> None:
    game = openspiel("leduc_poker")
    policy = random_policy(game, np.random.default_rng(1))
    for player in range(2):
        value, profile = best_response(game, policy, player, ties=ties)
        assert expected_values(game, profile)[player] == pytest.approx(value, abs=1e-12)
        assert gains(game, profile)[player] == pytest.approx(0.0, abs=1e-12)


def test_ties_are_broken_as_asked() -> None:
    game = openspiel("matrix_rps")
    uniform = uniform_policy(game)
    assert best_response(game, uniform, 0, ties="first")[1].probs[1:4].tolist() == [1.0, 0.0, 0.0]
    assert best_response(game, uniform, 0, ties="uniform")[1].probs[1:4].tolist() == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize("name", ["matrix_rps", "kuhn_poker(players=3)", "kuhn_poker(players=4)"])
def test_gradients_are_derivatives_of_the_payoff(name: str) -> None:
    game = openspiel(name)
    x = realisation_plan(game, random_policy(game, np.random.default_rng(0)).probs)
    for player in range(game.players):
        g = gradient(game, player, x)
        lo, hi = int(game.arrays.seq_off[player]), int(game.arrays.seq_off[player + 1])
        assert g.shape == (hi - lo,)
        assert float(g @ x[lo:hi]) == pytest.approx(expected_values(game, behavioural(game, x))[player], abs=1e-12)


@pytest.mark.parametrize("name", ["leduc_poker", "kuhn_poker(players=3)", "kuhn_poker(players=4)"])
def test_row_blocks_change_no_bit(name: str) -> None:
    game = openspiel(name)
    a, x = game.arrays, random_policy(game, np.random.default_rng(0)).plan()
    for p in range(a.players):
        whole, parts = np.zeros(a.sequences), np.zeros(a.sequences)
        kernels.gradient_rows(a.rowptr, a.col, a.val, x, whole, a.seq_off[p], a.seq_off[p + 1])
        bounds = row_blocks(a, p)
        assert bounds[0] == a.seq_off[p]
        assert bounds[-1] == a.seq_off[p + 1]
        gradient_blocks(a.rowptr, a.col, a.val, x, parts, bounds)
        assert (whole == parts).all()


def test_kernels_do_the_same_in_plain_python() -> None:
    game = openspiel("kuhn_poker(players=3)")
    a, x = game.arrays, random_policy(game, np.random.default_rng(0)).plan()
    compiled, plain = np.zeros(a.sequences), np.zeros(a.sequences)
    kernels.gradient3(a.rowptr, a.col[0], a.col[1], a.val, x, compiled, 0, a.sequences)
    python = kernels.gradient3.py_func  # type: ignore[attr-defined]
    python(a.rowptr, a.col[0], a.col[1], a.val, x, plain, 0, a.sequences)
    assert (compiled == plain).all()


class TestPolicies:
    def test_plans_and_policies_convert_back(self, kuhn: ExtensiveGame) -> None:
        policy = random_policy(kuhn, np.random.default_rng(5))
        assert behavioural(kuhn, policy.plan()).probs == pytest.approx(policy.probs, abs=1e-15)

    def test_openspiel_policies_convert_both_ways(self, kuhn: ExtensiveGame) -> None:
        policy = random_policy(kuhn, np.random.default_rng(5))
        back = BehaviouralPolicy.from_openspiel(kuhn, policy.to_openspiel())
        assert (back.probs == policy.probs).all()
        table = policy.to_openspiel_python(pyspiel.load_game("kuhn_poker"))
        again = BehaviouralPolicy.from_openspiel(kuhn, table)
        assert again.probs == pytest.approx(policy.probs, abs=1e-15)

    def test_probabilities_are_read_by_player_and_infostate(self, kuhn: ExtensiveGame) -> None:
        assert uniform_policy(kuhn).prob(0, "0pb") == {0: 0.5, 1: 0.5}
        policy = BehaviouralPolicy.from_table(kuhn, {(0, "0"): [1.0, 0.0]})
        assert policy.prob(0, "0") == {0: 1.0, 1: 0.0}

    def test_policies_are_read_only(self, kuhn: ExtensiveGame) -> None:
        with pytest.raises(ValueError, match="read-only"):
            uniform_policy(kuhn).probs[3] = 0.0

    @pytest.mark.parametrize(
        ("change", "text"),
        [
            (lambda p: p[:-1], "shape"),
            (lambda p: p * 2, "sum to 2.0"),
            (lambda p: np.where(np.arange(p.size) == 2, np.nan, p), "sum to nan"),
            (lambda p: p + np.array([0.0, 1.0, -1.0] + [0.0] * (p.size - 3)), "negative probability"),
        ],
    )
    def test_tables_that_are_no_policies_are_refused(self, kuhn: ExtensiveGame, change: object, text: str) -> None:
        with pytest.raises(InvalidValue, match=text):
            BehaviouralPolicy(kuhn, change(uniform_policy(kuhn).probs))  # type: ignore[operator]

    def test_unknown_infosets_and_foreign_policies_are_refused(self, kuhn: ExtensiveGame) -> None:
        with pytest.raises(InvalidValue, match="no infoset 'x'"):
            uniform_policy(kuhn).prob(0, "x")
        with pytest.raises(InvalidValue, match="has 2 actions, got 3"):
            BehaviouralPolicy.from_table(kuhn, {(0, "0"): [0.2, 0.3, 0.5]})
        with pytest.raises(InvalidValue, match="belongs to game"):
            nash_conv(openspiel("leduc_poker"), uniform_policy(kuhn))
        with pytest.raises(InvalidValue, match=r"player must lie in 0\.\.1"):
            best_response(kuhn, uniform_policy(kuhn), 2)
        with pytest.raises(InvalidValue, match="ties"):
            best_response(kuhn, uniform_policy(kuhn), 0, ties="last")
        with pytest.raises(InvalidValue, match="tabular policy"):
            BehaviouralPolicy.from_openspiel(kuhn, 3)

    @pytest.fixture
    def kuhn(self) -> ExtensiveGame:
        return openspiel("kuhn_poker")
