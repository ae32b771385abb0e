"""Metrics of an order market."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field

from equilibria.sim.plugin import NoSettings, Settings

Direction = Literal["lower", "higher", "none"]


class MarketPrice:
    """Mid price (last known) and fundamental value at the end of a period; what is missing is left out."""

    name: str = "market_price"
    unit: str = "cents"
    direction: Direction = "none"

    def __init__(self, settings: NoSettings) -> None:
        pass

    def compute(self, view: Any) -> Mapping[str, float]:
        """Return the prices."""
        rows = view.game.rows
        if not len(rows):
            return {}
        mid, _, value = rows[-1, :3].tolist()
        found = {"fundamental": value}
        if mid > 0:
            found["mid"] = mid
        return found


class MarketSpread:
    """Best ask minus best bid at the end of a period; left out while a side is empty."""

    name: str = "market_spread"
    unit: str = "cents"
    direction: Direction = "none"

    def __init__(self, settings: NoSettings) -> None:
        pass

    def compute(self, view: Any) -> Mapping[str, float]:
        """Return the spread."""
        rows = view.game.rows
        return {"": float(rows[-1, 1])} if len(rows) and rows[-1, 1] >= 0 else {}


class MarketActivity:
    """Events of the book, trades, shares traded, cancellations and resting orders so far."""

    name: str = "market_activity"
    unit: str = "count"
    direction: Direction = "none"

    def __init__(self, settings: NoSettings) -> None:
        pass

    def compute(self, view: Any) -> Mapping[str, float]:
        """Return the counts."""
        return {k: float(v) for k, v in view.game.tally.items()}


class TraderActivity:
    """Orders, cancellations, trades and shares traded so far by kind of trader, under keys such as ``value_trades``.

    A trade counts for both of its sides, so the counts of all kinds add up to twice the trades of the market.
    """

    name: str = "trader_activity"
    unit: str = "count"
    direction: Direction = "none"

    def __init__(self, settings: NoSettings) -> None:
        pass

    def compute(self, view: Any) -> Mapping[str, float]:
        """Return the counts by kind present."""
        return {f"{kind}_{k}": float(v) for kind, counts in view.game.kind_tally.items() for k, v in counts.items()}


class TraderProfit:
    """Mean profit of a trader by kind, shares valued at the mid price."""

    name: str = "trader_profit"
    unit: str = "cents per trader"
    direction: Direction = "higher"
    columns = ("kind", "profit")

    def __init__(self, settings: NoSettings) -> None:
        pass

    def compute(self, view: Any) -> Mapping[str, float]:
        """Return the mean by kind present."""
        kind, profit = np.asarray(view.column("kind")), np.asarray(view.column("profit"), np.float64)
        return {name: float(profit[kind == k].mean()) for k, name in enumerate(view.game.kinds) if (kind == k).any()}


class PriceFactsSettings(Settings):
    """Which changes of the mid price are described."""

    horizon: int = Field(default=60, ge=1, le=1_000_000, description="Periods of a price change")


class PriceFacts:
    """Deviation, excess kurtosis, memory and clustering of mid-price changes so far."""

    name: str = "price_facts"
    unit: str = "cents, else none"
    direction: Direction = "none"

    def __init__(self, settings: PriceFactsSettings) -> None:
        self._horizon = settings.horizon

    def compute(self, view: Any) -> Mapping[str, float]:
        """Return the facts; nothing with fewer than ten changes."""
        return view.game.facts(self._horizon)  # type: ignore[no-any-return]
