"""Learned bids of the locals against the closed forms of the local-local-global auction."""

from __future__ import annotations

import numpy as np
import pytest

from equilibria.agents.solvers.sealed_bid.local_bidders import local_equilibrium
from equilibria.mechanisms.oracles import llg_local_bid
from equilibria.sim.errors import InvalidValue


@pytest.mark.parametrize("payment", ["vcg", "nearest_vcg", "nearest_zero", "nearest_bid"])
def test_learned_local_bids_are_within_one_percent_of_the_closed_form(payment: str) -> None:
    found = local_equilibrium(payment)
    distance = found.mean_bids - llg_local_bid(found.values, payment)
    assert found.gain <= 1e-4
    assert np.sqrt(found.masses @ distance**2) <= 0.01


def test_bad_settings_are_named() -> None:
    with pytest.raises(InvalidValue, match="need a payment of"):
        local_equilibrium("core")
