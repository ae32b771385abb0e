"""Economic decision environments: cascading lists, coupled restless bandits, a feed; resolved on first use."""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "CascadingGame": "cascading",
    "CascadingWorld": "cascading_world",
    "FeedWorld": "feed",
    "RestlessGame": "restless",
    "RestlessWorld": "restless_world",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.games.decisions", _PUBLIC)
