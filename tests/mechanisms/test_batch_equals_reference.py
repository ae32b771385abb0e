"""The compiled batch of every rule equals its plain Python rule; batches can be split anywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from equilibria import mechanisms as m
from equilibria.mechanisms.bundles_reference import combinatorial_reference
from equilibria.mechanisms.double_reference import double_reference
from equilibria.mechanisms.local_global import llg_reference
from equilibria.mechanisms.multi_unit_reference import multi_unit_reference
from equilibria.mechanisms.optimal import myerson_reference
from equilibria.mechanisms.outcome import Outcome
from equilibria.mechanisms.position_reference import position_reference
from equilibria.mechanisms.priors import priors_from
from equilibria.mechanisms.single_item_reference import single_item_reference
from equilibria.mechanisms.ties import tie_key, tie_key_reference

ROWS, SEED, FIRST = 60, 11, 3
TIES = ("random", "lowest_index")


def draw(rng: np.random.Generator, *shape: int) -> Any:
    """Values in [0, 1), a third of the draws on a coarse grid so that ties are common."""
    values = rng.random(shape)
    return np.round(values, 1) if rng.random() < 0.6 else values


def consistent(out: Outcome, supply: float = 1.0) -> None:
    """Check what holds for every outcome."""
    assert np.isfinite(out.alloc).all() and np.isfinite(out.pay).all()
    assert (out.alloc.sum(axis=1) <= supply).all() and (out.alloc.sum(axis=1) >= 0).all()
    np.testing.assert_allclose(out.revenue, out.pay.sum(axis=1), atol=1e-12)


SINGLE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("first_price", {}, {}),
    ("first_price", {"reserve": 0.3}, {"reserve": 0.3}),
    ("second_price", {}, {}),
    ("second_price", {"reserve": 0.3}, {"reserve": 0.3}),
    ("second_price", {"reserve": 0.3, "soft_floor": 0.6}, {"reserve": 0.3, "soft_floor": 0.6}),
    ("third_price", {"reserve": 0.2}, {"reserve": 0.2}),
    ("all_pay", {}, {}),
    ("all_pay", {"reserve": 0.3}, {"reserve": 0.3}),
    ("war_of_attrition", {}, {}),
    ("posted_price", {"price": 0.4}, {"reserve": 0.4}),
    ("dutch", {"reserve": 0.2, "clock_step": 0.07}, {"reserve": 0.2, "clock_step": 0.07}),
    ("english", {"reserve": 0.2, "clock_step": 0.07}, {"reserve": 0.2, "clock_step": 0.07}),
]


@pytest.mark.parametrize("tie", TIES)
@pytest.mark.parametrize(("name", "params", "reference"), SINGLE)
def test_single_item(name: str, params: dict[str, Any], reference: dict[str, Any], tie: str) -> None:
    rng = np.random.default_rng(1)
    rule = getattr(m, name)(seed=SEED, tie=tie, **params)
    for n in range(9):
        bids = draw(rng, ROWS, n)
        out = rule.allocate_and_price(bids, first=FIRST)
        consistent(out)
        for i in range(ROWS):
            winner, pay = single_item_reference(
                name, bids[i].tolist(), seed=SEED, auction=FIRST + i, random_ties=tie == "random", **reference
            )
            assert winner == out.winner[i, 0]
            assert out.pay[i].tolist() == pay


@pytest.mark.parametrize("name", ["first_price", "second_price", "third_price", "all_pay"])
@pytest.mark.parametrize("mode", ["eager", "lazy"])
def test_personal_reserves(name: str, mode: str) -> None:
    rng = np.random.default_rng(2)
    for n in range(1, 7):
        reserve = np.round(rng.random(n), 1).tolist()
        bids = draw(rng, ROWS, n)
        out = getattr(m, name)(reserve=reserve, reserve_mode=mode, seed=SEED).allocate_and_price(bids)
        consistent(out)
        for i in range(ROWS):
            winner, pay = single_item_reference(
                name, bids[i].tolist(), reserve=reserve, eager=mode == "eager", seed=SEED, auction=i
            )
            assert (winner, pay) == (out.winner[i, 0], out.pay[i].tolist())


@pytest.mark.parametrize("tie", TIES)
@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("discriminatory", {}),
        ("uniform_price", {"price_rule": "highest_losing"}),
        ("uniform_price", {"price_rule": "lowest_winning"}),
        ("vickrey_multiunit", {}),
    ],
)
def test_multi_unit(name: str, params: dict[str, Any], tie: str) -> None:
    rng = np.random.default_rng(3)
    for n, units in [(0, 2), (1, 3), (2, 1), (3, 2), (5, 4), (8, 3)]:
        bids = -np.sort(-draw(rng, ROWS, n, units), axis=2)
        out = getattr(m, name)(units=units, seed=SEED, tie=tie, **params).allocate_and_price(bids, first=FIRST)
        consistent(out)
        for i in range(ROWS if n else 0):
            winners, pay = multi_unit_reference(
                name, bids[i].tolist(), seed=SEED, auction=FIRST + i, random_ties=tie == "random", **params
            )
            assert out.winner[i].tolist() == winners
            np.testing.assert_allclose(out.pay[i], pay, rtol=0, atol=1e-12)


@pytest.mark.parametrize("tie", TIES)
@pytest.mark.parametrize("name", ["gsp", "gfp", "vcg_position"])
@pytest.mark.parametrize("kind", ["score", "per_click"])
def test_position(name: str, kind: str, tie: str) -> None:
    rng = np.random.default_rng(4)
    for n, slots in [(0, 2), (1, 1), (2, 3), (5, 2), (8, 4), (60, 3)]:
        ctr = (-np.sort(-rng.random(slots))).tolist()
        quality = (0.1 + np.round(rng.random(n), 1)).tolist()
        bids, reserve = draw(rng, ROWS, n), 0.25 * (n % 2)
        rule = getattr(m, name)(ctr=ctr, quality=quality, reserve=reserve, reserve_kind=kind, seed=SEED, tie=tie)
        out = rule.allocate_and_price(bids, first=FIRST)
        consistent(out)
        for i in range(ROWS):
            seats, pay = position_reference(
                name, bids[i].tolist(), ctr, quality=quality, reserve=reserve, per_click=kind == "per_click",
                seed=SEED, auction=FIRST + i, random_ties=tie == "random",
            )  # fmt: skip
            assert out.winner[i].tolist() == seats
            np.testing.assert_allclose(out.pay[i], pay, rtol=0, atol=1e-12)


@pytest.mark.parametrize("tie", TIES)
@pytest.mark.parametrize(("name", "params"), [("k_double_auction", {"k": 0.3}), ("mcafee", {}), ("vcg_double", {})])
def test_double(name: str, params: dict[str, Any], tie: str) -> None:
    rng = np.random.default_rng(5)
    for nb, ns in [(0, 3), (1, 1), (2, 0), (3, 3), (5, 2), (4, 7), (60, 60)]:
        bids, asks = draw(rng, ROWS, nb), draw(rng, ROWS, ns)
        out = getattr(m, name)(seed=SEED, tie=tie, **params).allocate_and_price(bids, asks, first=FIRST)
        consistent(out)
        for i in range(ROWS):
            buyers, sellers, paid, got = double_reference(
                name, bids[i].tolist(), asks[i].tolist(), seed=SEED, auction=FIRST + i, random_ties=tie == "random",
                **params,
            )  # fmt: skip
            trade, pay = np.zeros(nb + ns), np.zeros(nb + ns)
            trade[buyers], pay[buyers] = 1.0, paid
            for j in sellers:
                trade[nb + j], pay[nb + j] = -1.0, -got
            assert out.alloc[i, :, 0].tolist() == trade.tolist()
            np.testing.assert_allclose(out.pay[i], pay, rtol=0, atol=1e-12)


@pytest.mark.parametrize("tie", TIES)
@pytest.mark.parametrize("payment", ["vcg", "first_price"])
def test_combinatorial(payment: str, tie: str) -> None:
    rng = np.random.default_rng(6)
    for n, items, width in [(1, 1, 1), (2, 2, 3), (3, 3, 4), (5, 4, 3)]:
        masks, values = rng.integers(0, 2**items, (ROWS, n, width)), draw(rng, ROWS, n, width)
        rule = m.combinatorial(items=items, payment=payment, seed=SEED, tie=tie)
        out = rule.allocate_and_price(masks, values, first=FIRST)
        consistent(out)
        for i in range(ROWS):
            bids = [list(zip(masks[i, j].tolist(), values[i, j].tolist(), strict=True)) for j in range(n)]
            choice, pay = combinatorial_reference(
                bids, items, payment=payment, seed=SEED, auction=FIRST + i, random_ties=tie == "random"
            )
            expected = [int(masks[i, j, b]) if b >= 0 else 0 for j, b in enumerate(choice)]
            assert (out.alloc[i].astype(int) << np.arange(items)).sum(axis=1).tolist() == expected
            np.testing.assert_allclose(out.pay[i], pay, rtol=0, atol=1e-12)


@pytest.mark.parametrize("payment", ["vcg", "nearest_vcg", "nearest_zero", "nearest_bid", "first_price"])
def test_llg_three_ways(payment: str) -> None:
    rng = np.random.default_rng(7)
    bids = draw(rng, 300, 3) * [1, 1, 2]
    out = m.llg(payment=payment, seed=SEED).allocate_and_price(bids)
    consistent(out)
    for i in range(300):
        locals_win, pay = llg_reference(payment, *bids[i].tolist(), seed=SEED, auction=i)
        assert locals_win == (out.winner[i, 0] == 0)
        np.testing.assert_allclose(out.pay[i], pay, rtol=0, atol=1e-12)
    # the general core solver on the same auctions; 1e-9 is its feasibility slack
    untied = rng.random((60, 3)) * [1, 1, 2]
    general = m.combinatorial(items=2, payment=payment).allocate_and_price([[1], [2], [3]], untied[:, :, None])
    np.testing.assert_allclose(general.pay, m.llg(payment=payment).allocate_and_price(untied).pay, rtol=0, atol=1e-9)


MIXED = [
    {"family": "mixture", "weights": [0.75, 0.25], "lows": [0, 3], "highs": [3, 8]},
    {"family": "uniform", "low": 0, "high": 4},
    {"family": "exponential", "mean": 2},
    {"family": "power", "exponent": 2.5, "high": 5},
]


@pytest.mark.parametrize("specs", [MIXED[:1], MIXED, MIXED[1:2], MIXED[3:]])
def test_myerson(specs: list[dict[str, Any]]) -> None:
    rng = np.random.default_rng(8)
    n = max(4, len(specs))
    bids = rng.random((200, n)) * 7
    bids[::2] = np.round(bids[::2])
    out = m.myerson(priors=specs, seller_value=0.1, seed=SEED).allocate_and_price(bids)
    consistent(out)
    priors = priors_from(specs, n)
    for i in range(200):
        winner, pay = myerson_reference(bids[i].tolist(), priors, seller_value=0.1, seed=SEED, auction=i)
        assert winner == out.winner[i, 0]
        np.testing.assert_allclose(out.pay[i], pay, rtol=0, atol=1e-12)


def rows(out: Outcome, low: int, high: int) -> list[bytes]:
    return [
        np.ascontiguousarray(x[low:high]).tobytes()
        for x in (out.alloc, out.pay, out.winner, out.price, out.welfare, out.revenue)
    ]


@pytest.mark.parametrize(
    "name", ["second_price", "english", "myerson", "gsp", "vickrey_multiunit", "mcafee", "combinatorial"]
)
def test_bytes_do_not_depend_on_batches_or_threads(name: str) -> None:
    rng = np.random.default_rng(9)
    args: tuple[Any, ...] = (np.round(rng.random((97, 5)), 1),)
    if name == "vickrey_multiunit":
        args = (-np.sort(-np.round(rng.random((97, 5, 2)), 1), axis=2),)
    elif name == "mcafee":
        args = (*args, np.round(rng.random((97, 4)), 1))
    elif name == "combinatorial":
        args = (rng.integers(0, 4, (97, 3, 2)), np.round(rng.random((97, 3, 2)), 1))
    rule = getattr(m, name)(seed=SEED)
    whole = rule.allocate_and_price(*args)
    assert rows(rule.allocate_and_price(*args, n_jobs=3), 0, 97) == rows(whole, 0, 97)
    for low, high in [(0, 1), (1, 40), (40, 97)]:
        part = rule.allocate_and_price(*(a[low:high] for a in args), first=low)
        assert rows(part, 0, high - low) == rows(whole, low, high)


def test_tie_keys_agree_and_are_fair() -> None:
    for random in (True, False):
        for auction, bidder in [(0, 0), (5, 2), (2**40, 7)]:
            assert int(tie_key(random, np.uint64(SEED), auction, bidder)) == tie_key_reference(
                random, SEED, auction, bidder
            )
    wins = np.bincount(m.second_price(seed=1).allocate_and_price(np.ones((30_000, 3))).winner[:, 0], minlength=3)
    # standard error of each count is sqrt(30000 * 2 / 9) = 82
    assert np.abs(wins - 10_000).max() < 4 * 82
