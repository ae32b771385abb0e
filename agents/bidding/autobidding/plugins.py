"""Descriptors of the auto-bidders."""

from __future__ import annotations

from equilibria.agents.bidding.autobidding.settings import AutoPIDSettings, ConstantSettings, OnlineProgramSettings
from equilibria.sim.plugin import Plugin, Settings

_SU = "Su et al. (2024), AuctionNet, NeurIPS Datasets and Benchmarks, arXiv 2412.10798"


def _agent(name: str, summary: str, target: str, settings: type[Settings], reference: str) -> Plugin:
    return Plugin(
        kind="agent",
        name=name,
        summary=summary,
        target=f"equilibria.agents.bidding.autobidding.bidders:{target}",
        settings=settings,
        engines=("population",),
        forms=("autobidding",),
        reference=reference,
        produces="agent",
    )


auto_pid = _agent("auto_pid", "Steers its bid per conversion so that the budget lasts", "build_pid",
                  AutoPIDSettings, _SU)  # fmt: skip
auto_constant = _agent("auto_constant", "Bids the same amount per predicted conversion all day", "build_constant",
                       ConstantSettings, "baseline")  # fmt: skip
auto_program = _agent("auto_program", "Bids by the dual price of a program over recent impressions",
                      "build_online_program", OnlineProgramSettings, _SU + "; online variant is ours")  # fmt: skip
