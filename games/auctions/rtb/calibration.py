"""Calibration of the nine synthetic campaigns: statistics, price distributions, generator parameters.

The file ``data/campaign_calibration.json`` holds derived aggregates of the iPinYou 2013 competition data
(Zhang, Yuan, Wang, Shen 2014, arXiv 1407.7073) and no record of it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import numpy as np

from equilibria.games.auctions.rtb.rules import MAX_PRICE
from equilibria.sim.errors import unknown_name
from equilibria.sim.types import FloatArray

CAMPAIGNS: Final = ("1458", "2259", "2261", "2821", "2997", "3358", "3386", "3427", "3476")
HEADLINE: Final = ("1458", "2259", "2997", "3358", "3476")
"""The campaigns whose generator fits best (fit loss below 10)."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Parameters of the generator; see ``synthetic``."""

    w: float
    dmu: float
    s0: float
    s1: float
    rho: float
    beta: float
    m: float
    sh: float
    mu: float
    alpha: float
    gamma: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """One campaign.

    Attributes:
        campaign: Its number.
        train_ctr: Clicks per impression of the training days.
        test_ctr: The same of the test days.
        prices: float64 [301] probability of each market price.
        fit: Generator parameters.
        fit_loss: Distance from the published replay table; below 10 is good.
    """

    campaign: str
    train_ctr: float
    test_ctr: float
    prices: FloatArray
    fit: Fit
    fit_loss: float


def calibration(campaign: str) -> Calibration:
    """Return the calibration of a campaign.

    Raises:
        UnknownName: If there is no such campaign.
    """
    content = _content()
    if campaign not in content:
        raise unknown_name("campaign", campaign, CAMPAIGNS)
    entry = content[campaign]
    return Calibration(
        campaign=campaign,
        train_ctr=entry["train"]["clicks"] / entry["train"]["impressions"],
        test_ctr=entry["test"]["clicks"] / entry["test"]["impressions"],
        prices=_prices(entry),
        fit=Fit(**entry["fit"]),
        fit_loss=float(entry["fit_loss"]),
    )


@cache
def _content() -> dict[str, Any]:
    text = files("equilibria.games.auctions.rtb").joinpath("data/campaign_calibration.json").read_text("utf-8")
    return json.loads(text)["campaigns"]  # type: ignore[no-any-return]


def _prices(entry: dict[str, Any]) -> FloatArray:
    """Return atoms plus bins of five prices, uniform inside a bin, normalised."""
    m = np.zeros(MAX_PRICE + 1)
    m[1:] = np.repeat(np.asarray(entry["price_bins5"], np.float64) / 5.0, 5)
    for price, mass in entry["price_atoms"]:
        m[price] += mass
    return m / m.sum()  # type: ignore[no-any-return]
