"""Bandits: what a learner earns against the best and against chance, regret, frontiers; a run or a sweep's settings."""

from __future__ import annotations

from typing import Final

import streamlit as st

from equilibria.dashboards.page import Context, Page
from equilibria.dashboards.views import bandit_payments, bandit_values
from equilibria.dashboards.views.auctions import over_time
from equilibria.dashboards.views.groups import Groups, certificates, choose, of_run, pick_member
from equilibria.sim.store import Run

TABLES: Final = (bandit_payments.ACTIONS, bandit_values.FRONTIER)
METRICS: Final = (*bandit_payments.METRICS, *bandit_values.METRICS)


def build() -> Page:
    """Return the page."""
    return Page(
        title="Bandits",
        section="Worlds",
        icon=":material/casino:",
        order=26,
        tables=TABLES,
        metrics=METRICS,
        render=render,
    )


def render(context: Context) -> None:
    """Draw the page."""
    groups = choose(context)
    if groups is None:
        return
    if groups.sweep:
        _compare(context, groups)
        st.divider()
        _details(context, pick_member(context, groups))
    else:
        context.follow(groups.first, lambda run: _run(context, run))


def _run(context: Context, run: Run) -> None:
    _compare(context, of_run(run))
    _details(context, run)


def _compare(context: Context, groups: Groups) -> None:
    certificates(context, groups)
    drawn = bandit_payments.compare(context, groups)
    drawn |= bandit_values.compare(context, groups)
    if not drawn:
        st.info("Nothing has been recorded yet.", icon=":material/hourglass_empty:")


def _details(context: Context, run: Run) -> None:
    bandit_payments.details(context, run)
    bandit_values.details(context, run)
    over_time(context, run)
