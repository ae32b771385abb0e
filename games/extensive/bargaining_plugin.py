"""Descriptor and settings of alternating-offers bargaining; imports nothing heavy."""

from __future__ import annotations

from pydantic import Field

from equilibria.sim.plugin import Plugin, Settings


class AlternatingOffersSettings(Settings):
    """Two players divide a pie by alternating offers; what is left shrinks with every round."""

    pie: int = Field(default=5, ge=1, le=50, description="Units to divide; an offer is a whole number of them.")
    rounds: int = Field(default=3, ge=1, le=6, description="Offers at most; afterwards both get nothing.")
    discount: float = Field(default=0.9, gt=0, le=1, description="Worth of a unit one round later.")


alternating_offers = Plugin(
    kind="game",
    name="alternating_offers",
    summary="Alternating-offers bargaining over a pie of whole units; general-sum, perfect information",
    target="equilibria.games.extensive.bargaining:build",
    settings=AlternatingOffersSettings,
    engines=("extensive",),
    forms=("extensive",),
    reference="Rubinstein (1982), Econometrica 50; Stahl (1972)",
)
