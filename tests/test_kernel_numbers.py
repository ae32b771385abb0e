"""Philox, the seed tree, certificates and states: known answers and bad input."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from numba.core.errors import NumbaError

from equilibria.sim import philox
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import InvalidValue, NumericalError
from equilibria.sim.jit import kernel
from equilibria.sim.seeds import SeedTree

FULL = 0xFFFFFFFF
VECTORS = [  # Salmon et al. (2011), known-answer tests of Philox4x32-10
    ((0, 0, 0, 0, 0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((FULL,) * 6, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344, 0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter_and_key", "expected"), VECTORS)
def test_philox_meets_the_published_vectors(counter_and_key: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert tuple(int(w) for w in philox.philox(*counter_and_key)) == expected
    assert tuple(int(w) for w in philox.philox.py_func(*counter_and_key)) == expected  # type: ignore[attr-defined]


@kernel
def _moments(key, n):  # type: ignore[no-untyped-def]
    total, square = 0.0, 0.0
    for agent in range(n):
        u = philox.uniform(key, 3, agent, 0)
        total += u
        square += u * u
    return total / n, square / n


def test_uniform_numbers_have_the_moments_of_the_unit_interval() -> None:
    mean, square = _moments(SeedTree(1).key(), 1_000_000)  # type: ignore[no-untyped-call]
    assert abs(mean - 1 / 2) < 5 * math.sqrt(1 / 12 / 1e6)  # five standard errors
    assert abs(square - 1 / 3) < 5 * math.sqrt(4 / 45 / 1e6)


@kernel
def _counts(key, n, draws):  # type: ignore[no-untyped-def]
    counts = np.zeros(n, np.int64)
    for i in range(draws):
        counts[philox.integer(key, 1, i, 0, n)] += 1
    return counts


def test_bounded_integers_are_uniform_and_in_range() -> None:
    n, draws = 7, 700_000
    counts = _counts(SeedTree(2).key(), n, draws)  # type: ignore[no-untyped-call]
    chi_square = float(((counts - draws / n) ** 2 / (draws / n)).sum())
    assert counts.sum() == draws
    assert chi_square < 27.9  # 99.99 % quantile with six degrees of freedom


def test_streams_depend_on_names_not_on_the_order_of_creation() -> None:
    tree = SeedTree(7)
    first = tree.child("world").generator().random()
    tree.child("other").generator().random()
    assert tree.child("world").generator().random() == first
    assert tree.child("world", 1).generator().random() != first


def test_sweep_members_are_no_shifted_seeds() -> None:
    seeds = {SeedTree(s).member(i).seed for s in range(20) for i in range(20)}
    assert len(seeds) == 400


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(InvalidValue, match="seed must lie in"):
        SeedTree(seed)


def test_certificate_refuses_not_a_number_and_says_its_sentence() -> None:
    with pytest.raises(NumericalError, match="exploitability"):
        Certificate(measure="exploitability", value=math.nan, unit="payoff", method="exact best response")
    text = Certificate(
        measure="gain", value=0.2, unit="payoff", method="trained best response", kind="lower bound",
        low=0.1, high=0.3, confidence=0.95, sample_size=64,
    ).sentence()  # fmt: skip
    assert text.startswith("gain is at least 0.2 payoff (95 % interval [0.1, 0.3] from 64 samples), lower bound")


def test_certificate_interval_must_contain_the_value() -> None:
    with pytest.raises(InvalidValue, match="does not contain"):
        Certificate(measure="m", value=2.0, unit="u", method="x", low=0.0, high=1.0)


def test_state_parts_come_back_as_they_were_nested() -> None:
    state = State({"x": np.arange(3)}, {"t": 4})
    joined = state.nested("a").merged(State({"y": np.zeros(1)}).nested("b"))
    assert sorted(joined.arrays) == ["a/x", "b/y"]
    assert joined.part("a").meta == {"t": 4}
    assert np.array_equal(joined.part("a").arrays["x"], np.arange(3))


@kernel(counted=False)
def _sum(values):  # type: ignore[no-untyped-def]
    return values[1:].sum()


@kernel(counted=False)
def _fresh(values):  # type: ignore[no-untyped-def]
    return np.zeros(values.shape[0]).sum()


def test_kernels_without_counted_references_make_no_arrays() -> None:
    values = np.arange(4.0)
    holders = sys.getrefcount(values)
    assert all(_sum(values) == 6.0 for _ in range(50))  # type: ignore[no-untyped-call]
    assert sys.getrefcount(values) == holders
    with pytest.raises(NumbaError, match="zeros"):
        _fresh(values)  # type: ignore[no-untyped-call]
