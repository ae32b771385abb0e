"""Dashboards: an application of pages that read run directories, and the drawing functions behind them.

Third parties add pages by entry points of the group ``equilibria.pages``; see ``dashboards.page``.
Importing this package imports neither streamlit nor plotly.
"""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "Context": "equilibria.dashboards.page:Context",
    "Page": "equilibria.dashboards.page:Page",
    "show_figure": "equilibria.dashboards.widgets:show_figure",
    "show_table": "equilibria.dashboards.widgets:show_table",
}

__all__ = ["Context", "Page", "show_figure", "show_table"]
__getattr__ = exports("equilibria.dashboards", _PUBLIC)
