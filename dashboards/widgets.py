"""Parts that every page uses: a figure or table with its caption and its exports, a note, a state badge."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import plotly.graph_objects as go
import polars as pl
import streamlit as st

from equilibria.dashboards import reader
from equilibria.dashboards.figures.numbers import numbers
from equilibria.sim.analysis.facts import certificate_sentence, finite
from equilibria.sim.analysis.thinning import Curve

if TYPE_CHECKING:
    from equilibria.dashboards.page import Context
    from equilibria.sim.store import Run

STATE_COLOURS: Final[dict[str, str]] = {
    "complete": "green",
    "running": "blue",
    "failed": "red",
    "broken": "red",
    "killed": "orange",
    "interrupted": "orange",
    "incomplete": "orange",
}
STATE_ICONS: Final[dict[str, str]] = {
    "complete": "✓",
    "running": "▶",
    "failed": "✗",
    "broken": "⚠",
    "killed": "◼",
    "interrupted": "⏸",
    "incomplete": "…",
}
_IMAGE_KEY: Final = "image"


def image_format() -> str:
    """Return the image format chosen in the menu: ``png`` or ``svg``."""
    return "svg" if st.session_state.get(_IMAGE_KEY) == "svg" else "png"


def image_choice() -> None:
    """Show the choice of the image format of the camera button."""
    st.segmented_control(
        "Camera button saves",
        ["png", "svg"],
        default="png",
        key=_IMAGE_KEY,
        bind="query-params",
        required=True,
        help="Every chart has a camera button at its upper right.",
    )


def show_figure(
    figure: go.Figure,
    *,
    name: str,
    caption: str = "",
    rows: pl.DataFrame | Callable[[], pl.DataFrame] | None = None,
    alt: str = "",
) -> None:
    """Show a figure with its caption and its exports: PNG or SVG by the camera, HTML and CSV by the menu.

    Args:
        figure: The figure.
        name: File name of exports, unique on the page.
        caption: What is seen and what good looks like.
        rows: The numbers behind it, or a function that makes them when they are asked for; what is drawn when absent.
        alt: Description for screen readers; the caption when empty.
    """
    config = {
        "displaylogo": False,
        "responsive": True,
        "scrollZoom": False,
        "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
        "toImageButtonOptions": {"format": image_format(), "filename": name, "scale": 2},
    }
    st.plotly_chart(figure, theme=None, key=f"figure_{name}", config=config, alt=alt or caption or name)
    with st.container(horizontal=True, vertical_alignment="top"):
        st.caption(caption, width="stretch")
        with st.popover("Export", icon=":material/download:", width="content", key=f"export_{name}"):
            st.download_button(
                "HTML (interactive)",
                lambda: figure.to_html(include_plotlyjs=True, full_html=True, config=config),
                f"{name}.html",
                "text/html",
                key=f"html_{name}",
                on_click="ignore",
            )
            csv_button(rows if rows is not None else lambda: numbers(figure), name)
            st.caption(f"{image_format().upper()}: camera button of the chart; the menu sets PNG or SVG.")


def show_table(frame: pl.DataFrame, *, name: str, caption: str = "", **options: Any) -> Any:
    """Show a table with its caption and a CSV export; returns what ``st.dataframe`` returns.

    Args:
        frame: Rows; the caller keeps them few.
        name: File name of the export, unique on the page.
        caption: What is seen.
        options: Arguments of ``st.dataframe``.
    """
    options.setdefault("hide_index", True)
    given = options.pop("column_config", {})
    floats = [c for c, t in frame.schema.items() if t.is_float()]
    options["column_config"] = {**{c: st.column_config.NumberColumn(format="%.4g") for c in floats}, **given}
    selected = st.dataframe(frame, key=f"table_{name}", **options)
    with st.container(horizontal=True, vertical_alignment="top"):
        st.caption(caption, width="stretch")
        csv_button(frame, name, label="CSV")
    return selected


def csv_button(rows: pl.DataFrame | Callable[[], pl.DataFrame], name: str, *, label: str = "CSV (numbers)") -> None:
    """Show a button that downloads rows as CSV; they are made on the click."""

    def make() -> bytes:
        stream = io.BytesIO()
        (rows() if callable(rows) else rows).write_csv(stream)
        return stream.getvalue()

    st.download_button(label, make, f"{name}.csv", "text/csv", key=f"csv_{name}", on_click="ignore")


def curve_rows(curves: Sequence[Curve], unit: str) -> pl.DataFrame:
    """Return curves as rows: name, unit, mean, least, greatest."""
    frames = [
        pl.DataFrame({"curve": [c.name] * len(c), unit: c.unit, "mean": c.mean, "least": c.low, "greatest": c.high})
        for c in curves
    ]
    return pl.concat(frames) if frames else pl.DataFrame()


def state_badge(state: str) -> None:
    """Show a run's state as a coloured word with a sign."""
    st.badge(f"{STATE_ICONS.get(state, '?')} {state}", color=STATE_COLOURS.get(state, "gray"))  # type: ignore[arg-type]


def pick_unit(run: Run, table: str, label: str) -> int:
    """Show a slider of the units at which a table was recorded, the last one chosen; its state is in the URL."""
    units = reader.units(run, table)
    if len(units) < 2:
        return units[-1] if units else 0
    return int(st.select_slider(label, units, value=units[-1], key=f"at_{table}", bind="query-params"))


def stop_button(context: Context, name: str, *, key: str = "stop") -> None:
    """Show the button that asks whoever writes a run or sweep to save and stop, or say why there is none."""
    if context.jobs.can_stop(name):
        if st.button("Stop and save", icon=":material/stop_circle:", key=key):
            context.jobs.stop(name)
            st.toast("Stopping after the present step; the state is saved.")
    else:
        st.caption("It was asked to stop, or is written by another machine or user; then stop it there with Ctrl-C.")


def certificate_box(run: Run) -> float | None:
    """Show the certificate's value and its sentence, or why there is none; returns the value."""
    certificate = run.certificate if isinstance(run.certificate, Mapping) else {}
    value = finite(certificate.get("value"))
    if value is None:
        st.info(f"Certificate: {plain(certificate_sentence(run))}", icon=":material/verified:")
        return None
    left, right = st.columns([1, 3], vertical_alignment="center")
    left.metric(str(certificate.get("measure", "distance")), f"{value:.4g}", help=str(certificate.get("unit", "")))
    right.info(f"**Certificate.** {plain(certificate_sentence(run))}", icon=":material/verified:")
    return value


def plain(text: str) -> str:
    """Return a text of foreign origin with Markdown's signs escaped."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>()#+-.!|$~:" else c for c in text)
