"""Every closed form is an equilibrium (no profitable deviation on a 4001-point grid) and implies the stated revenue."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from equilibria import mechanisms as m
from equilibria.mechanisms import oracles as o
from equilibria.mechanisms.price_of_anarchy import BOUNDS, GSP_TWO_SLOTS, autobidding_instance
from equilibria.mechanisms.priors import Exponential, Mixture, Power, Prior, Uniform
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray

GRID = np.linspace(0.0, 1.0, 4001)
VALUES = np.linspace(0.05, 0.95, 19)
Utility = Callable[[float, FloatArray], FloatArray]


def gain(utility: Utility, grid: FloatArray = GRID) -> float:
    """Return the largest gain of a value v from bidding as z; ``utility(v, z)`` is the interim utility."""
    return max(float(utility(v, grid).max() - utility(v, np.array([v]))[0]) for v in VALUES)


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("a", [1.0, 2.0])
def test_first_price_and_all_pay_are_equilibria(n: int, a: float) -> None:
    prior = Power(a)
    win = GRID ** (a * (n - 1))
    assert win[-1] == 1
    first: Utility = lambda v, z: z ** (a * (n - 1)) * (v - o.first_price_bid(z, n, prior))
    allpay: Utility = lambda v, z: z ** (a * (n - 1)) * v - o.all_pay_bid(z, n, a)
    assert gain(first) <= 1e-9
    assert gain(allpay) <= 1e-9


@pytest.mark.parametrize("risk", [0.25, 0.5])
def test_risk_averse_first_price_is_an_equilibrium(risk: float) -> None:
    assert gain(lambda v, z: z**2 * np.maximum(v - o.first_price_bid(z, 3, risk=risk), 0.0) ** risk) <= 1e-9


@pytest.mark.parametrize("n", [2, 4])
def test_first_price_with_reserve_is_an_equilibrium(n: int) -> None:
    r = 0.5
    z = GRID[GRID >= r]
    bids = o.first_price_bid(z, n, reserve=r)
    for v in VALUES:
        best = float((z ** (n - 1) * (v - bids)).max())
        own = v ** (n - 1) * (v - float(o.first_price_bid(v, n, reserve=r))) if v >= r else 0.0
        assert best - own <= 1e-9
    assert o.first_price_bid(np.array([0.3, 0.5]), n, reserve=r).tolist() == [0.0, 0.5]


def test_general_first_price_matches_the_closed_forms() -> None:
    v = np.linspace(0.0, 1.0, 11)
    np.testing.assert_allclose(o._shaded(v, 3, Power(2.0), 0.0), o.first_price_bid(v, 3, Power(2.0)), atol=1e-12)
    shifted = Uniform(2.0, 5.0)
    np.testing.assert_allclose(
        o._shaded(2 + 3 * v, 4, shifted, 0.0), o.first_price_bid(2 + 3 * v, 4, shifted), atol=1e-12
    )
    e = Exponential(1.0)
    x = np.array([0.5, 2.0])
    # n = 2: b = E[Y | Y < v] = (1 - e^-v (1 + v)) / (1 - e^-v)
    np.testing.assert_allclose(o.first_price_bid(x, 2, e), (1 - np.exp(-x) * (1 + x)) / (1 - np.exp(-x)), atol=1e-12)


def test_third_price_and_attrition_are_equilibria() -> None:
    # expected payments of type z by integration of the payment rule over the others
    n = 4
    nodes, weights = np.polynomial.legendre.leggauss(60)

    def third(v: float, z: FloatArray) -> FloatArray:
        y = z[:, None] * (nodes + 1) / 2
        density = (n - 1) * (n - 2) * y ** (n - 3) * (z[:, None] - y)
        paid = (o.third_price_bid(y, n) * density) @ weights * z / 2
        return v * z ** (n - 1) - paid

    def attrition(v: float, z: FloatArray) -> FloatArray:
        lost = np.where(z < 1, (1 - z) * np.nan_to_num(o.war_of_attrition_bid(z), posinf=0.0), 0.0)
        won = -(z**2) / 2 + z + np.where(z < 1, (1 - z) * np.log(np.maximum(1 - z, 1e-300)), 0.0)
        return v * z - lost - won

    assert gain(third) <= 1e-9
    assert gain(attrition) <= 1e-9


def test_asymmetric_first_price_is_an_equilibrium() -> None:
    w, s = 1.0, 2.0
    z_weak, z_strong = np.linspace(0, w, 4001), np.linspace(0, s, 4001)
    bid_weak = o.asymmetric_first_price_bids(z_weak, w, s)[0]
    bid_strong = o.asymmetric_first_price_bids(z_strong, w, s)[1]
    assert bid_weak[-1] == pytest.approx(w * s / (w + s)) == bid_strong[-1]
    # the inverse bid functions in closed form: v = 2 b / (1 + c b^2) for the weak, 2 b / (1 - c b^2) for the strong
    c = 1 / w**2 - 1 / s**2
    for v in np.linspace(0.1, w, 10):
        u = (v - bid_strong) * 2 * bid_strong / (1 - c * bid_strong**2) / s
        b = float(o.asymmetric_first_price_bids(v, w, s)[0])
        assert u.max() - (v - b) * 2 * b / (1 - c * b**2) / s <= 1e-9
    for v in np.linspace(0.1, s, 10):
        u = (v - bid_weak) * 2 * bid_weak / (1 + c * bid_weak**2) / w
        b = float(o.asymmetric_first_price_bids(v, w, s)[1])
        assert u.max() - (v - b) * 2 * b / (1 + c * b**2) / w <= 1e-9


def test_asymmetric_first_price_revenue_and_efficiency() -> None:
    rng = np.random.default_rng(1)
    v = rng.random((1_000_000, 2)) * [1, 2]
    bids = np.stack(
        [o.asymmetric_first_price_bids(v[:, 0], 1, 2)[0], o.asymmetric_first_price_bids(v[:, 1], 1, 2)[1]], axis=1
    )
    out = m.first_price().allocate_and_price(bids)
    se = out.revenue.std() / 1e3
    assert abs(out.revenue.mean() - 0.459005) < 4 * se + 5e-7
    assert abs((out.winner == 0).mean() - 1 / 3) < 4 * math.sqrt(2 / 9) / 1e3
    loss = v.max(axis=1) - v[np.arange(len(v)), out.winner[:, 0]]
    assert abs(loss.mean() - 0.0205) < 4 * loss.std() / 1e3 + 5e-5
    assert o.second_price_revenue([Uniform(0, 1), Uniform(0, 2)]) == pytest.approx(5 / 12, abs=1e-12)


@pytest.mark.parametrize("n", [3, 5])
def test_revenue_equivalence(n: int) -> None:
    v = np.random.default_rng(n).random((1_000_000, n))
    for rule, bids in (
        (m.first_price(), o.first_price_bid(v, n)),
        (m.second_price(), v),
        (m.third_price(), o.third_price_bid(v, n)),
        (m.all_pay(), o.all_pay_bid(v, n)),
    ):
        revenue = rule.allocate_and_price(bids, n_jobs=2).revenue
        assert abs(revenue.mean() - o.standard_revenue(n)) < 4 * revenue.std() / 1e3


def test_reserve_risk_and_attrition_revenue() -> None:
    v = np.random.default_rng(4).random((1_000_000, 2))
    for rule, bids, expected in (
        (m.first_price(reserve=0.5), o.first_price_bid(v, 2, reserve=0.5), (1 + 2**-2) / 3),
        (m.second_price(reserve=0.5), v, 5 / 12),
        (m.first_price(), o.first_price_bid(v, 2, risk=0.5), o.crra_revenue(2, 0.5)),
        (m.war_of_attrition(), o.war_of_attrition_bid(v), 1 / 3),
    ):
        revenue = rule.allocate_and_price(bids).revenue
        assert abs(revenue.mean() - expected) < 4 * revenue.std() / 1e3


def test_common_value_equilibria_by_monte_carlo_best_response() -> None:
    rng = np.random.default_rng(5)
    s = rng.random(400_000)
    own = 0.6
    bids = np.linspace(0.0, 2.0, 81)
    for rule in ("first_price", "second_price"):
        other = o.wallet_bid(s, rule)
        price = bids[:, None] if rule == "first_price" else other[None, :]
        utility = np.array([((own + s - (price[k] if rule == "first_price" else other)) * (b > other)).mean()
                            for k, b in enumerate(bids)])  # fmt: skip
        best = float(o.wallet_bid(own, rule))
        at = ((own + s - (best if rule == "first_price" else other)) * (best > other)).mean()
        assert utility.max() - at < 4 * 0.7 / math.sqrt(len(s))
    assert float(o.affiliated_bid(1.5)) == 1.0
    assert float(o.mineral_rights_bid(2.0)) == 1.0


def test_wallet_game_earns_two_thirds_in_both() -> None:
    s = np.random.default_rng(6).random((500_000, 2))
    for rule in (m.first_price(), m.second_price()):
        revenue = rule.allocate_and_price(o.wallet_bid(s, rule.name)).revenue
        assert abs(revenue.mean() - 2 / 3) < 4 * revenue.std() / math.sqrt(500_000)


def test_mineral_rights_bid_is_the_conditional_value_given_a_tie_at_the_top() -> None:
    # E[V | X1 = x, max(X2, X3) = x]: density of V given the signals is proportional to V^-3 ... on V >= x / 2
    for x in (0.2, 1.0, 1.7):
        v = np.linspace(x / 2, 1.0, 200_001)
        weight = (1 / (2 * v)) ** 2 * x / (2 * v)
        expected = float((v * weight).sum() / weight.sum())
        assert float(o.mineral_rights_bid(x)) == pytest.approx(expected, abs=1e-4)  # step of the grid is 5e-6


@pytest.mark.parametrize(("n", "units"), [(3, 1), (4, 2), (6, 3)])
def test_discriminatory_unit_demand_is_an_equilibrium(n: int, units: int) -> None:
    from scipy.special import betainc

    assert gain(lambda v, z: betainc(n - units, units, z) * (v - o.discriminatory_bid(z, n, units))) <= 1e-9
    if units == 1:
        np.testing.assert_allclose(o.discriminatory_bid(VALUES, n, 1), o.first_price_bid(VALUES, n), atol=1e-12)


def test_locally_envy_free_bids_earn_the_vcg_revenue() -> None:
    rng = np.random.default_rng(7)
    for n, slots in [(2, 2), (3, 2), (5, 3), (4, 6)]:
        values, ctr = -np.sort(-rng.random(n)), -np.sort(-rng.random(slots))
        bids = o.locally_envy_free_bids(values, ctr.tolist())
        gsp = m.gsp(ctr=ctr.tolist()).allocate_and_price([bids]).revenue[0]
        vcg = m.vcg_position(ctr=ctr.tolist()).allocate_and_price([values]).revenue[0]
        assert gsp == pytest.approx(vcg, rel=1e-10)


@pytest.mark.parametrize("payment", ["vcg", "nearest_vcg", "nearest_zero", "nearest_bid"])
def test_llg_equilibria_resist_deviations_on_common_random_numbers(payment: str) -> None:
    rng = np.random.default_rng(8)
    v2, g = rng.random(200_000), 2 * rng.random(200_000)
    other = o.llg_local_bid(v2, payment)
    rule = m.llg(payment=payment)
    for v in (0.3, 0.6, 0.9):

        def mean(bid: float, v: float = v) -> tuple[float, FloatArray]:
            out = rule.allocate_and_price(np.stack([np.full(len(g), bid), other, g], axis=1))
            u = v * out.alloc[:, 0, 0] - out.pay[:, 0]
            return float(u.mean()), u

        at, base = mean(float(o.llg_local_bid(v, payment)))
        for bid in np.linspace(0.0, 1.2, 25):
            found, u = mean(float(bid))
            assert found - at <= 4 * float((u - base).std()) / math.sqrt(len(g))


@pytest.mark.parametrize("k", [0.0, 0.3, 0.5, 1.0])
def test_bilateral_linear_equilibrium(k: float) -> None:
    # uniform grid of the other side; trade at k b + (1 - k) s
    grid = (np.arange(20_000) + 0.5) / 20_000
    _, seller = o.bilateral_bids(grid, grid, k)
    for v in (0.4, 0.7, 0.95):
        bids = np.linspace(0, 1, 401)
        u = np.array([((v - k * b - (1 - k) * seller) * (b >= seller)).mean() for b in bids])
        b = float(o.bilateral_bids(v, 0.0, k)[0])
        assert u.max() - ((v - k * b - (1 - k) * seller) * (b >= seller)).mean() < 5e-5  # one cell of the grid
    rng = np.random.default_rng(9)
    values, costs = rng.random(1_000_000), rng.random(1_000_000)
    offers, asks = o.bilateral_bids(values, costs, k)
    out = m.k_double_auction(k=k).allocate_and_price(offers[:, None], asks[:, None])
    gains = np.where(out.alloc[:, 0, 0] > 0, values - costs, 0.0)
    assert abs(gains.mean() - o.bilateral_gains(k)) < 4 * gains.std() / 1e3


def test_bilateral_gains_are_nine_sixty_fourths_at_one_half() -> None:
    assert o.bilateral_gains(0.5) == pytest.approx(9 / 64, abs=1e-12)
    assert o.bilateral_gains(0.0) == pytest.approx(1 / 8, abs=1e-12) == o.bilateral_gains(1.0)


MIX = Mixture((0.75, 0.25), (0.0, 3.0), (3.0, 8.0))


@pytest.mark.parametrize(
    ("priors", "expected"),
    [
        ([Uniform()], 0.25),
        ([Uniform()] * 2, 5 / 12),
        ([Uniform()] * 3, 17 / 32),
        ([Uniform()] * 5, 0.671875),
        ([Uniform()] * 10, 9 / 11 + 2**-10 / 11),
        ([Exponential(3.0)] * 3, 9 / math.e - 4.5 / math.e**2 + math.exp(-3)),
        ([Uniform(0, i) for i in range(1, 6)], 2.297617),
        ([Power(2.0)], 2 / 3 / math.sqrt(3)),
    ],
)
def test_optimal_revenue(priors: list[Prior], expected: float) -> None:
    assert o.optimal_revenue(priors) == pytest.approx(expected, abs=1e-6)


def test_optimal_revenue_of_an_irregular_prior_is_what_the_rule_earns() -> None:
    spec = {"family": "mixture", "weights": [0.75, 0.25], "lows": [0, 3], "highs": [3, 8]}
    v = MIX.sample(np.random.default_rng(10), (1_000_000, 3))
    revenue = m.myerson(priors=[spec]).allocate_and_price(v).revenue
    assert abs(revenue.mean() - o.optimal_revenue([MIX] * 3)) < 4 * revenue.std() / 1e3 + 1e-3
    assert revenue.mean() > m.second_price(reserve=2.0).allocate_and_price(v).revenue.mean()


@pytest.mark.parametrize(
    ("prior", "cost", "expected"),
    [
        (Uniform(0, 3), 0.0, 1.5),
        (Power(2.0), 0.0, 3**-0.5),
        (Exponential(2.0), 0.0, 2.0),
        (Uniform(), 0.4, 0.7),
        (MIX, 0.0, 2.0),
    ],
)
def test_reserve_price_solves_virtual_value_equals_cost(prior: Prior, cost: float, expected: float) -> None:
    assert prior.reserve_price(cost) == pytest.approx(expected, abs=1e-3 if prior is MIX else 1e-12)


def test_one_more_bidder_beats_the_best_reserve() -> None:
    for n in range(1, 6):
        assert o.second_price_revenue([Uniform()] * (n + 1)) >= o.optimal_revenue([Uniform()] * n)
    assert o.second_price_revenue([Exponential(3.0)] * 3) == pytest.approx(2.5, abs=1e-8)
    assert o.second_price_revenue([Uniform(0, i) for i in range(1, 6)]) == pytest.approx(2.014722, abs=1e-6)


def test_all_pay_with_known_values_loses_an_eighth_at_worst() -> None:
    worst = min(o.all_pay_complete(1.0, x)["welfare"] for x in np.linspace(0.01, 1, 200))
    assert worst == pytest.approx(7 / 8, abs=1e-4)
    rng = np.random.default_rng(11)
    facts = o.all_pay_complete(1.0, 0.5)
    first = rng.random(500_000) * 0.5
    second = np.where(rng.random(500_000) < facts["second_stays_out"], 0.0, rng.random(500_000) * 0.5)
    out = m.all_pay().allocate_and_price(np.stack([first, second], axis=1))
    assert abs(out.revenue.mean() - facts["revenue"]) < 4 * out.revenue.std() / math.sqrt(500_000)
    welfare = np.where(out.winner[:, 0] == 0, 1.0, 0.5)
    assert abs(welfare.mean() - facts["welfare"]) < 4 * welfare.std() / math.sqrt(500_000)


def test_gsp_instance_is_a_nash_equilibrium_at_four_fifths() -> None:
    g = GSP_TWO_SLOTS
    rule = m.gsp(ctr=list(g.ctr), tie="lowest_index")
    values = np.array(g.values)

    def utility(bids: list[float]) -> FloatArray:
        amount, pay = rule.outcome([bids])
        return np.asarray(amount[0] * values - pay[0])

    base = utility(list(g.bids))
    for i, bid in ((i, b) for i in range(2) for b in np.linspace(0, 1.2, 121)):
        bids = list(g.bids)
        bids[i] = float(bid)
        assert utility(bids)[i] <= base[i] + 1e-12
    amount, _ = rule.outcome([list(g.bids)])
    assert (amount[0] @ values, values @ np.array(g.ctr)) == (g.welfare, g.optimum)


def test_autobidding_instance_loses_half() -> None:
    x = autobidding_instance(0.01)
    values, bids = np.array(x.values), np.array(x.values) * np.array(x.multipliers)[:, None]
    out = m.second_price().allocate_and_price(bids.T)
    won = values.T * out.alloc[:, :, 0]
    assert won.sum() == x.welfare and x.welfare / x.optimum == pytest.approx(0.505)
    spend, value = out.pay.sum(axis=0), won.sum(axis=0)
    assert (spend <= value + 1e-12).all()  # both keep their target cost per value of 1


def test_bounds_lie_in_the_unit_interval_and_name_a_source() -> None:
    assert len(BOUNDS) == 15
    assert all(0 < b.ratio <= 1 and b.source for b in BOUNDS)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: o.first_price_bid(0.5, 1), "at least 2 bidders, got 1"),
        (lambda: o.third_price_bid(0.5, 2), "at least 3 bidders"),
        (lambda: o.first_price_bid(0.5, 2, risk=0.0), r"risk must lie in \(0, 1\]"),
        (lambda: o.first_price_bid(0.5, 2, Exponential(), risk=0.5), "closed form"),
        (lambda: o.llg_local_bid(0.5, "x"), "payment must be"),
        (lambda: o.discriminatory_bid(0.5, 3, 3), r"units must lie in 1\.\.2"),
        (lambda: o.locally_envy_free_bids([1.0, 2.0], [1.0]), "must not increase"),
        (lambda: o.asymmetric_first_price_bids(0.5, 2, 1), "weak_high < strong_high"),
        (lambda: o.all_pay_complete(1, 2), "v1 >= v2 > 0"),
    ],
)
def test_oracles_refuse_what_they_do_not_cover(call: Callable[[], object], says: str) -> None:
    with pytest.raises(InvalidValue, match=says):
        call()
