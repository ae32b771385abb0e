"""Descriptors of extensive-form games from OpenSpiel and of their metrics."""

from __future__ import annotations

from equilibria.games.extensive.settings import OpenSpielSettings
from equilibria.sim.plugin import Plugin

_METRICS = "equilibria.games.extensive.metrics"
_ENGINES = ("extensive",)

openspiel = Plugin(
    kind="game",
    name="openspiel",
    summary="Any finite OpenSpiel game, compiled once to sequence-form arrays",
    target="equilibria.games.extensive.spiel:build",
    settings=OpenSpielSettings,
    engines=_ENGINES,
    forms=("extensive",),
    reference="Lanctot et al. (2019), OpenSpiel, arXiv:1908.09453; von Stengel (1996), sequence form",
)

exploitability = Plugin(
    kind="metric",
    name="exploitability",
    summary="NashConv / players of the output policy, exact; 0 at a Nash equilibrium",
    target=f"{_METRICS}:exploitability",
    engines=_ENGINES,
    forms=("extensive",),
    unit="game payoff",
    direction="lower",
)
nash_conv = Plugin(
    kind="metric",
    name="nash_conv",
    summary="Sum of all players' best-response gains against the output policy, exact",
    target=f"{_METRICS}:nash_conv",
    engines=_ENGINES,
    forms=("extensive",),
    unit="game payoff",
    direction="lower",
)
current_exploitability = Plugin(
    kind="metric",
    name="current_exploitability",
    summary="NashConv / players of the current policy, exact",
    target=f"{_METRICS}:current_exploitability",
    engines=_ENGINES,
    forms=("extensive",),
    unit="game payoff",
    direction="lower",
)
value = Plugin(
    kind="metric",
    name="value",
    summary="Expected payoff per player under the output policy",
    target=f"{_METRICS}:value",
    engines=_ENGINES,
    forms=("extensive",),
    unit="game payoff",
    direction="none",
)
gains = Plugin(
    kind="metric",
    name="gains",
    summary="Best-response gain per player against the output policy, exact",
    target=f"{_METRICS}:gains",
    engines=_ENGINES,
    forms=("extensive",),
    unit="game payoff",
    direction="lower",
)
agent_form_gain = Plugin(
    kind="metric",
    name="agent_form_gain",
    summary="Largest payoff gain per player from another action at one infoset (games of imperfect recall), exact",
    target=f"{_METRICS}:agent_form_gain",
    engines=_ENGINES,
    forms=("extensive",),
    unit="game payoff",
    direction="lower",
)
