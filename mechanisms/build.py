"""Build functions of the registry entries, one per rule, by the rule's name."""

from __future__ import annotations

from equilibria.mechanisms.bundles import combinatorial
from equilibria.mechanisms.double import k_double_auction, mcafee, vcg_double
from equilibria.mechanisms.local_global import llg
from equilibria.mechanisms.multi_unit import discriminatory, uniform_price, vickrey_multiunit
from equilibria.mechanisms.optimal import myerson
from equilibria.mechanisms.position import gfp, gsp, vcg_position
from equilibria.mechanisms.single_item import (
    all_pay,
    dutch,
    english,
    first_price,
    posted_price,
    second_price,
    third_price,
    war_of_attrition,
)

__all__ = [
    "all_pay",
    "combinatorial",
    "discriminatory",
    "dutch",
    "english",
    "first_price",
    "gfp",
    "gsp",
    "k_double_auction",
    "llg",
    "mcafee",
    "myerson",
    "posted_price",
    "second_price",
    "third_price",
    "uniform_price",
    "vcg_double",
    "vcg_position",
    "vickrey_multiunit",
    "war_of_attrition",
]
