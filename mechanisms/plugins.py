"""Registry descriptors of the mechanisms; imports nothing heavy."""

from __future__ import annotations

from equilibria.mechanisms import settings as s
from equilibria.sim.plugin import Plugin, Settings

_KRISHNA = "Krishna (2010), Auction Theory, 2nd ed."
_EOS = "Edelman, Ostrovsky, Schwarz (2007), American Economic Review 97"


def _rule(name: str, summary: str, settings: type[Settings], reference: str) -> Plugin:
    return Plugin(
        kind="mechanism",
        name=name,
        summary=summary,
        target=f"equilibria.mechanisms.build:{name}",
        settings=settings,
        reference=reference,
    )


first_price = _rule("first_price", "One item; the highest bidder pays the bid.", s.ReserveSettings, _KRISHNA)
second_price = _rule(
    "second_price",
    "One item; the highest bidder pays the second bid or the reserve.",
    s.SecondPriceSettings,
    "Vickrey (1961), Journal of Finance 16",
)
third_price = _rule("third_price", "One item; the highest bidder pays the third bid.", s.ReserveSettings, _KRISHNA)
all_pay = _rule("all_pay", "One item; everybody pays the own bid.", s.ReserveSettings, _KRISHNA)
war_of_attrition = _rule(
    "war_of_attrition", "One item; the winner pays the second bid, losers their own.", s.RuleSettings, _KRISHNA
)
posted_price = _rule("posted_price", "One item at a fixed price, first come first served.", s.PostedPriceSettings, "")
dutch = _rule("dutch", "One item by a falling clock.", s.ClockSettings, _KRISHNA)
english = _rule("english", "One item by a rising clock.", s.ClockSettings, _KRISHNA)
myerson = _rule(
    "myerson",
    "One item for the highest revenue, given the distributions of values.",
    s.MyersonSettings,
    "Myerson (1981), Mathematics of Operations Research 6",
)
discriminatory = _rule("discriminatory", "Identical units, pay as bid.", s.MultiUnitSettings, _KRISHNA)
uniform_price = _rule("uniform_price", "Identical units at one price.", s.UniformPriceSettings, _KRISHNA)
vickrey_multiunit = _rule(
    "vickrey_multiunit", "Identical units; winners pay the bids they displace.", s.MultiUnitSettings, _KRISHNA
)
gsp = _rule("gsp", "Ad slots; each slot pays the next score per click.", s.PositionSettings, _EOS)
gfp = _rule("gfp", "Ad slots; everybody pays the own bid per click.", s.PositionSettings, _EOS)
vcg_position = _rule("vcg_position", "Ad slots with VCG payments.", s.PositionSettings, _EOS)
combinatorial = _rule(
    "combinatorial",
    "Bundles of items with XOR bids; VCG, core-selecting or pay-as-bid.",
    s.CombinatorialSettings,
    "Cramton, Shoham, Steinberg (2006), Combinatorial Auctions; Day and Cramton (2012)",
)
llg = _rule(
    "llg",
    "Two local bidders against a global one, core-selecting payments.",
    s.LLGSettings,
    "Ausubel and Baranov (2020), Journal of Economic Theory 190",
)
k_double_auction = _rule(
    "k_double_auction",
    "Buyers and sellers trade at one price inside the clearing interval.",
    s.KDoubleSettings,
    "Chatterjee and Samuelson (1983), Operations Research 31",
)
mcafee = _rule(
    "mcafee",
    "Truthful double auction that may drop the least valuable trade.",
    s.DoubleSettings,
    "McAfee (1992), Journal of Economic Theory 56",
)
vcg_double = _rule("vcg_double", "Truthful, efficient double auction with a deficit.", s.DoubleSettings, _KRISHNA)
