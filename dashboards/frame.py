"""The frame of the application: pages from the registry, one menu, errors in place of exception boxes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import streamlit as st

from equilibria.dashboards.jobs import Jobs
from equilibria.dashboards.look import SHADES, Mode
from equilibria.dashboards.page import Context, Page, errors_in_place
from equilibria.dashboards.widgets import image_choice
from equilibria.sim import registry
from equilibria.sim.errors import PluginError
from equilibria.sim.registry import BrokenPlugin

SECTIONS: Final = ("Runs", "Equilibrium", "Worlds")
DEFAULT_PAGE: Final = "overview"

_CSS: Final = """
<style>
.block-container, .stMainBlockContainer {padding-top: 3.2rem; padding-bottom: 2rem;}
@media (max-width: 640px) {
  .block-container, .stMainBlockContainer {padding-left: 0.8rem; padding-right: 0.8rem;}
  h1 {font-size: 1.6rem !important;}
}
/* Streamlit's own greys and highlights fall short of a contrast of 4.5 */
[data-testid="stCaptionContainer"] {opacity: 1;}
[data-testid="stCaptionContainer"] p, [data-testid="stCaptionContainer"] li {color: MUTED;}
[data-testid="stCaptionContainer"] em {color: MUTED;}
[data-testid="stMarkdownContainer"] code, [data-testid="stCaptionContainer"] code {color: TEXT;}
[data-testid="stCode"] .linenumber, [data-testid="stCode"] .token.comment, [data-testid="stCode"] .token.punctuation
  {color: MUTED !important;}
[data-testid="stCode"] .token.key, [data-testid="stCode"] .token.function, [data-testid="stCode"] .token.builtin
  {color: ACCENT !important;}
[data-testid="stCode"] .token.number, [data-testid="stCode"] .token.boolean, [data-testid="stCode"] .token.string,
[data-testid="stCode"] .token.operator, [data-testid="stCode"] .token.important {color: TEXT !important;}
[data-variant="segmented_control"][aria-checked="true"] p {color: TEXT;}
</style>
"""


_LOGO: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="190" height="36" viewBox="0 0 190 36">'
    '<path d="M4 30 L18 6 L32 30 Z" fill="none" stroke="{colour}" stroke-width="2.5"/>'
    '<circle cx="18" cy="21" r="4" fill="{colour}"/>'
    '<text x="42" y="26" font-family="sans-serif" font-size="22" font-weight="600" fill="{text}">Equilibria</text></svg>'
)


@dataclass(frozen=True, slots=True)
class Options:
    """What the server was started with.

    Attributes:
        root: The runs folder.
        read_only: Whether starting runs is off.
    """

    root: Path
    read_only: bool = False


def parse(arguments: Sequence[str]) -> Options:
    """Read the arguments after ``--``: the runs folder and ``--read-only``."""
    parser = argparse.ArgumentParser(prog="equilibria dashboard")
    parser.add_argument("runs", nargs="?", default="runs", type=Path)
    parser.add_argument("--read-only", action="store_true")
    given = parser.parse_args(list(arguments))
    return Options(given.runs, given.read_only)


def load_pages() -> tuple[dict[str, Page], list[BrokenPlugin]]:
    """Return the pages by registry name, and the plugins that cannot be used."""
    pages: dict[str, Page] = {}
    broken: list[BrokenPlugin] = []
    for plugin in registry.all_plugins("page"):
        if isinstance(plugin, BrokenPlugin):
            broken.append(plugin)
            continue
        try:
            page = plugin.load()()
            if not isinstance(page, Page):
                raise PluginError(f"page {plugin.name!r}: its target must return a Page, got {type(page).__name__}")
        except Exception as error:  # noqa: BLE001 - a foreign page may raise anything; its neighbours stay usable
            broken.append(BrokenPlugin("page", plugin.name, "", f"{type(error).__name__}: {error}"))
            continue
        pages[plugin.name] = page
    return pages, broken


@st.cache_resource(show_spinner=False)
def jobs_of(root: str) -> Jobs:
    """Return the jobs of this server for a runs folder."""
    return Jobs(Path(root))


def mode() -> Mode:
    """Return whether the browser shows the light or the dark theme."""
    return "dark" if getattr(st.context.theme, "type", None) == "dark" else "light"


def run_application(options: Options) -> None:
    """Draw the application; called by Streamlit on every interaction."""
    st.set_page_config(page_title="Equilibria", page_icon="⚖️", layout="wide")
    shades = SHADES[mode()]
    st.html(_CSS.replace("MUTED", shades.muted).replace("TEXT", shades.text).replace("ACCENT", shades.accent))
    pages, broken = load_pages()
    menu: dict[str, list[Any]] = {}
    links: dict[str, Any] = {}
    for name, page in sorted(pages.items(), key=lambda item: _place(item[1])):
        links[name] = st.Page(
            _draw(options, name, links, pages),
            title=page.title,
            icon=page.icon,
            url_path=None if name == DEFAULT_PAGE else name,
            default=name == DEFAULT_PAGE,
        )
        menu.setdefault(page.section, []).append(links[name])
    st.logo(_LOGO.format(colour=SHADES[mode()].accent, text=SHADES[mode()].text), size="large")
    chosen = st.navigation(cast(Any, menu), expanded=True)
    with st.sidebar:
        image_choice()
        st.caption(f"Runs folder: `{options.root.resolve().name}`" + (" (read-only)" if options.read_only else ""))
        for plugin in broken:
            st.warning(f"Page {plugin.name!r} cannot be shown: {plugin.error}")
    chosen.run()


def draw_page(
    options: Options,
    name: str,
    page: Page,
    links: dict[str, Any] | None = None,
    pages: dict[str, Page] | None = None,
) -> None:
    """Draw one page; whatever goes wrong becomes a message in its place."""
    st.title(page.title)
    context = Context(
        root=options.root,
        page=page,
        name=name,
        mode=mode(),
        jobs=jobs_of(str(options.root)),
        read_only=options.read_only,
        links=links or {},
        pages=pages or {},
    )
    with errors_in_place(name):
        page.render(context)


def _draw(options: Options, name: str, links: dict[str, Any], pages: dict[str, Page]) -> Any:
    def draw() -> None:
        draw_page(options, name, pages[name], links, pages)

    draw.__name__ = name
    return draw


def _place(page: Page) -> tuple[int, str, int, str]:
    known = SECTIONS.index(page.section) if page.section in SECTIONS else len(SECTIONS)
    return known, page.section, page.order, page.title
