"""Descriptors of the pages that come with the product; imports no streamlit, plotly or polars."""

from __future__ import annotations

from equilibria.sim.plugin import Plugin


def _page(name: str, summary: str) -> Plugin:
    return Plugin(
        kind="page",
        name=name,
        summary=summary,
        target=f"equilibria.dashboards.views.{name}:build",
        requires="dashboard",
        modules=("streamlit", "plotly"),
    )


overview = _page("overview", "Runs and sweeps with state, progress and certificate")
run = _page("run", "One run: certificate, convergence, scenario, log")
compare = _page("compare", "Two runs or sweeps, paired by seed, with intervals")
sweep = _page("sweep", "A sweep: intervals per setting, heat map, parallel coordinates")
launch = _page("launch", "Check a scenario, run it in the background, watch, stop, resume")
gallery = _page("gallery", "Scenarios that come with the product")
convergence = _page("convergence", "Distance to equilibrium of several methods on one game")
policy = _page("policy", "What a policy does at every infoset, how often it gets there, what it regrets")
meta_game = _page("meta_game", "Payoffs between policies, meta-strategy over iterations, alpha-rank")
dynamics = _page("dynamics", "Policy simplex with the replicator field")
population = _page("population", "Inequality, distributions, grid and network views of populations")
tournament = _page("tournament", "Scores, ranking and cooperation of repeated games")
auctions = _page("auctions", "Learned bids against theory, losses by type, menus")
bidding = _page("bidding", "Real-time bidding: bid curves, pacing, budgets, prices to beat")
cooperative = _page("cooperative", "Cooperative learning: returns with intervals, team policies")
dag = _page("dag", "Who sees whose action in a Bayesian-network policy, over training")
gains = _page("gains", "Best-response gains per player with intervals")
market = _page("market", "Order markets: price against value, spread, depth, activity and profit by kind of trader")
bandits = _page("bandits", "Bandits: rates by generation, regret with slopes, value against the optimum, frontiers")
