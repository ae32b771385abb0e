"""Descriptors of the order market and its metrics."""

from __future__ import annotations

from equilibria.games.markets.metrics import PriceFactsSettings
from equilibria.games.markets.settings import OrderMarketSettings, OrderMarketViewSettings
from equilibria.sim.plugin import Family

_FAMILY = Family(package="equilibria.games.markets", engines=("population",), forms=("order_market",))

order_market = _FAMILY.game(
    "order_market",
    "Limit order book with noise, value and momentum traders, market makers and zero-intelligence flows",
    "world:build",
    OrderMarketSettings,
    reference="Byrd, Hybinette, Balch (2019), ABIDES, arXiv 1904.12066, configuration rmsc04",
    view="environment:build",
    view_settings=OrderMarketViewSettings,
)
market_price = _FAMILY.metric("market_price", "Mid price and fundamental value", "metrics:MarketPrice", "cents", "none")
market_spread = _FAMILY.metric("market_spread", "Best ask minus best bid", "metrics:MarketSpread", "cents", "none")
market_activity = _FAMILY.metric(
    "market_activity", "Events, trades, volume and resting orders so far", "metrics:MarketActivity", "count", "none"
)
trader_activity = _FAMILY.metric(
    "trader_activity",
    "Orders, cancellations, trades and shares traded by kind of trader",
    "metrics:TraderActivity",
    "count",
    "none",
)
trader_profit = _FAMILY.metric(
    "trader_profit", "Mean profit by kind of trader", "metrics:TraderProfit", "cents per trader", "higher"
)
price_facts = _FAMILY.metric(
    "price_facts",
    "Deviation, tails, memory and clustering of mid-price changes",
    "metrics:PriceFacts",
    "cents, else none",
    "none",
    settings=PriceFactsSettings,
)
