"""Agents for decision environments; names are resolved on first use."""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "CascadingLearner": "cascading",
    "FeedLearner": "feed",
    "FeedRule": "feed_rules",
    "RestlessRule": "restless",
    "Sequoia": "sequoia",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.agents.decisions", _PUBLIC)
