"""Every rule keeps what it claims, and the claims it does not make are false on known witnesses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from equilibria import mechanisms as m
from equilibria.mechanisms import conformance
from equilibria.mechanisms.base import CLAIMS
from equilibria.sim import registry
from equilibria.sim.errors import PluginError

MIXTURE = {"family": "mixture", "weights": [0.75, 0.25], "lows": [0.0, 3.0], "highs": [3.0, 8.0]}

# (rule, tolerance of rounding in units of money)
RULES: dict[str, Any] = {
    "first_price": lambda: m.first_price(seed=3),
    "first_price reserve": lambda: m.first_price(reserve=0.25),
    "second_price": lambda: m.second_price(),
    "second_price reserve": lambda: m.second_price(reserve=0.25),
    "second_price eager": lambda: m.second_price(reserve=[0.1, 0.5, 0.25, 0.0]),
    "second_price lazy": lambda: m.second_price(reserve=[0.1, 0.5, 0.25, 0.0], reserve_mode="lazy"),
    "second_price soft floor": lambda: m.second_price(reserve=0.25, soft_floor=0.5),
    "third_price": lambda: m.third_price(),
    "all_pay": lambda: m.all_pay(reserve=0.1),
    "war_of_attrition": lambda: m.war_of_attrition(),
    "posted_price": lambda: m.posted_price(price=0.25),
    "dutch": lambda: m.dutch(clock_step=0.0625),
    "english": lambda: m.english(clock_step=0.0625, reserve=0.125),
    "myerson": lambda: m.myerson(),
    "myerson asymmetric": lambda: m.myerson(
        priors=[{"family": "uniform", "high": 1.0}, {"family": "uniform", "high": 2.0}, {"family": "exponential"}]
    ),
    "myerson ironed": lambda: m.myerson(priors=[MIXTURE], seller_value=0.5),
    "discriminatory": lambda: m.discriminatory(units=3),
    "uniform_price": lambda: m.uniform_price(units=3),
    "vickrey_multiunit": lambda: m.vickrey_multiunit(units=3),
    "gsp": lambda: m.gsp(ctr=[1.0, 0.6, 0.1]),
    "gfp": lambda: m.gfp(ctr=[1.0, 0.6, 0.1]),
    "vcg_position": lambda: m.vcg_position(ctr=[0.9, 0.6, 0.1]),
    "vcg_position reserve": lambda: m.vcg_position(
        ctr=[0.9, 0.6], quality=[1.0, 0.5, 2.0], reserve=0.25, reserve_kind="per_click"
    ),
    "combinatorial": lambda: m.combinatorial(items=3),
    "combinatorial first_price": lambda: m.combinatorial(items=3, payment="first_price"),
    "llg": lambda: m.llg(),
    "llg nearest_bid": lambda: m.llg(payment="nearest_bid"),
    "llg nearest_zero": lambda: m.llg(payment="nearest_zero"),
    "llg vcg": lambda: m.llg(payment="vcg"),
    "k_double_auction": lambda: m.k_double_auction(k=0.25, buyers=2),
    "mcafee": lambda: m.mcafee(buyers=3),
    "vcg_double": lambda: m.vcg_double(buyers=3),
}


@pytest.mark.parametrize("make", RULES.values(), ids=RULES.keys())
def test_a_rule_keeps_its_claims_on_two_thousand_problems(make: Callable[[], Any]) -> None:
    rule = make()
    assert set(rule.properties()) == set(CLAIMS)
    # 16 rounds of 128 problems for each claim
    conformance.check_rule(rule, rounds=16, seed=5)


def test_every_registered_mechanism_builds_and_keeps_its_claims_with_default_settings() -> None:
    names = [
        p.name
        for p in registry.all_plugins("mechanism")
        if registry.distribution("mechanism", p.name)[0] == registry.PRODUCT
    ]
    assert len(names) >= 20
    for name in names:
        plugin = registry.find("mechanism", name)
        rule = plugin.load()(plugin.settings())
        if plugin.load().__module__.startswith("equilibria.mechanisms"):
            assert rule.name == name
            conformance.check_rule(rule, rounds=1)


@pytest.mark.parametrize(
    ("claim", "make"),
    [
        ("truthful", lambda: m.first_price()),
        ("truthful", lambda: m.gsp(ctr=[1.0, 0.995])),
        ("truthful", lambda: m.uniform_price(units=2)),
        ("truthful", lambda: m.k_double_auction()),
        ("truthful", lambda: m.all_pay()),
        ("truthful", lambda: m.third_price()),
        ("truthful", lambda: m.llg(payment="nearest_vcg")),
        ("truthful", lambda: m.second_price(soft_floor=0.5)),
        ("individually_rational", lambda: m.all_pay()),
        ("individually_rational", lambda: m.war_of_attrition()),
        ("efficient", lambda: m.second_price(reserve=0.5)),
        ("efficient", lambda: m.mcafee(buyers=3)),
        ("efficient", lambda: m.posted_price(price=0.25)),
        ("budget_balanced", lambda: m.mcafee(buyers=3)),
        ("weakly_budget_balanced", lambda: m.vcg_double(buyers=3)),
        ("anonymous", lambda: m.second_price(reserve=[0.0, 0.5, 0.9])),
        ("payment_identity", lambda: m.first_price()),
    ],
)
def test_probes_find_what_does_not_hold(claim: str, make: Callable[[], Any]) -> None:
    rule = make()
    assert rule.properties()[claim] is False
    worst = max(conformance.PROBES[claim](rule, np.random.default_rng(k)) for k in range(8))
    assert worst > 1e-3


def test_a_false_claim_is_reported_by_the_suite() -> None:
    rule = m.first_price()
    object.__setattr__(rule, "claims", lambda: frozenset({"truthful"}))
    with pytest.raises(PluginError, match="claim 'truthful' does not hold"):
        conformance.check_rule(rule)


def gain(rule: Any, values: list[float], bidder: int, lie: float) -> float:
    """Return the utility of the lie minus that of the truth."""
    reports = np.array([values, values])
    reports[1, bidder] = lie
    amount, pay = rule.outcome(reports)
    utility = values[bidder] * amount[:, bidder] - pay[:, bidder]
    return float(utility[1] - utility[0])


def test_first_price_witness_shading_pays() -> None:
    assert gain(m.first_price(), [1.0, 0.5], 0, 0.6) == pytest.approx(0.4)


def test_gsp_witness_bidding_for_the_second_slot_pays_392_per_200_impressions() -> None:
    rule = m.gsp(ctr=[1.0, 199 / 200])
    assert 200 * gain(rule, [10.0, 4.0, 2.0], 0, 3.0) == pytest.approx(1592 - 1200)
