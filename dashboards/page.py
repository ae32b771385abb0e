"""The interface of a page.

A page is a plugin of kind ``page``: its entry point in the group ``equilibria.pages`` refers to a
``sim.plugin.Plugin`` whose target is a function without arguments that returns a ``Page``::

    # my_package/plugins.py, light
    tax_page = Plugin(kind="page", name="tax", summary="Tax schedules", target="my_package.tax_page:build")

    # my_package/tax_page.py
    def build() -> Page:
        return Page(title="Tax", section="Worlds", icon=":material/percent:", render=render, tables=("tax",))

    def render(context: Context) -> None:
        run = context.choose_run()          # a picker of the runs that this page can show; state in the URL
        if run is not None:
            context.follow(run, lambda run: draw(context, run))  # again every two seconds while it goes on

    def draw(context: Context, run: Run) -> None:
        show_figure(schedule(data, mode=context.mode), name="tax", caption="...", rows=frame)

Rules: read through ``dashboards.reader``; draw with pure functions ``figure(data, mode=...)``; give every
widget a ``key`` and ``bind="query-params"`` so that the URL holds the state; raise errors of ours, which
the frame shows in place.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import streamlit as st

from equilibria.dashboards import catalogue
from equilibria.dashboards.catalogue import Entry
from equilibria.dashboards.jobs import Jobs
from equilibria.dashboards.look import Mode
from equilibria.sim.errors import EquilibriaError
from equilibria.sim.store import Run, Sweep

LIVE_SECONDS: Final = 2.0
_LOG: Final = logging.getLogger("equilibria.dashboards")


@contextmanager
def errors_in_place(name: str) -> Iterator[None]:
    """Show whatever goes wrong inside as a message in its place, never as an exception box.

    Args:
        name: Name of the page, for the log.
    """
    try:
        yield
    except EquilibriaError as error:
        st.error(str(error), icon=":material/error:")
    except Exception as error:  # noqa: BLE001 - Streamlit's control flow derives from BaseException and passes
        _LOG.exception("page %s", name)
        st.error(
            f"This page cannot show the run: {type(error).__name__}: {error}. The server's log has the details.",
            icon=":material/error:",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of the application.

    Attributes:
        title: Title and name in the menu.
        render: Draws the page.
        section: Heading in the menu: ``Runs``, ``Equilibrium``, ``Worlds`` or one of your own.
        icon: Material symbol, for example ``":material/percent:"``.
        order: Place within the section, low first.
        tables: The page shows runs that recorded one of these tables ...
        metrics: ... or one of these metrics; with both empty every run.
        suits: Further condition on a run.
    """

    title: str
    render: Callable[[Context], None]
    section: str = "Worlds"
    icon: str = ":material/insights:"
    order: int = 100
    tables: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    suits: Callable[[Entry], bool] = lambda entry: True

    def shows(self, entry: Entry) -> bool:
        """Say whether the page has something to show for a run."""
        if entry.kind == "broken" or not self.suits(entry):
            return False
        if not self.tables and not self.metrics:
            return True
        return bool(set(self.tables) & set(entry.tables) or set(self.metrics) & set(entry.metrics))


@dataclass(slots=True, kw_only=True)
class Context:
    """What a page gets.

    Attributes:
        root: The runs folder.
        page: The page itself.
        name: Its registry name, which is also its path in the URL.
        mode: Light or dark.
        jobs: Runs started from this server.
        read_only: Whether starting runs is off.
        links: Streamlit's page objects by name, for links; empty outside the application.
        pages: All pages by name.
    """

    root: Path
    page: Page
    name: str
    mode: Mode
    jobs: Jobs
    read_only: bool = False
    links: dict[str, Any] = field(default_factory=dict)
    pages: dict[str, Page] = field(default_factory=dict)
    _entries: list[Entry] | None = None

    @property
    def entries(self) -> list[Entry]:
        """Everything in the runs folder, read once per drawing of the page."""
        if self._entries is None:
            self._entries = catalogue.entries(self.root)
        return self._entries

    def open(self, name: str) -> Run | Sweep:
        """Open a run or sweep by its name in the runs folder."""
        return catalogue.open_named(self.root, name)

    def choose(self, *, key: str = "run", label: str = "Run", kinds: tuple[str, ...] = ("run",)) -> Run | Sweep | None:
        """Show a picker of the runs (or sweeps) that suit the page and open the chosen one.

        A name in the URL that is not in the list is opened as well when it is a member of a sweep.

        Returns:
            The run, or ``None`` when there is none to show (the page says so).
        """
        known = {e.name: e.title for e in self.entries if e.kind in kinds and self.page.shows(e)}
        names = list(known)
        asked = st.query_params.get(key, "")
        asked = next((name for name, title in known.items() if title == asked), asked)
        if asked and asked not in names and "/" in asked and "run" in kinds:
            found = self.open(asked)  # raises for anything outside
            names = [*names, asked] if isinstance(found, Run) else names
        if not names:
            self.nothing_to_show()
            return None
        if asked and asked not in names:
            st.warning(f"{asked!r} is not among the runs that this page can show; the first one is shown.")
        # the URL holds the shown text, so the text must not change with the state of the run
        chosen = st.selectbox(label, names, key=key, bind="query-params", format_func=lambda n: known.get(n, n))
        return self.open(chosen) if chosen else None

    def choose_run(self) -> Run | None:
        """Show a picker of single runs; see ``choose``."""
        found = self.choose()
        return found if isinstance(found, Run) else None

    def follow(self, run: Run, draw: Callable[[Run], None]) -> None:
        """Draw a run; while it is in progress draw again every two seconds, the reader reading new parts only.

        Args:
            run: The run.
            draw: Draws it; gets the run as it is now.
        """
        name = catalogue.name_of(self.root, run.path)

        def again() -> None:
            with errors_in_place(self.name):
                now = self.open(name)
                if isinstance(now, Run):
                    if now.state != "running":
                        st.rerun()
                    draw(now)

        if run.state == "running":
            st.fragment(again, run_every=LIVE_SECONDS)()
        else:
            draw(run)

    def nothing_to_show(self) -> None:
        """Say why the page is empty and what to do."""
        wanted = [f"table `{t}`" for t in self.page.tables] + [f"metric `{m}`" for m in self.page.metrics]
        needs = f" It shows runs that record {' or '.join(wanted)}." if wanted else ""
        st.info(f"No run in `{self.root}` has something for this page.{needs}", icon=":material/info:")
        self.link("gallery", "Choose a scenario in the gallery")

    def title_of(self, run: Run) -> str:
        """Return what the pickers call a run."""
        return catalogue.entry_of(self.root, run).title

    def pages_for(self, run: Run) -> dict[str, Page]:
        """Return the pages that have something particular to show for a run, by name in the order of the menu."""
        entry = catalogue.entry_of(self.root, run)
        fitting = {n: p for n, p in self.pages.items() if (p.tables or p.metrics) and p.shows(entry)}
        return dict(sorted(fitting.items(), key=lambda item: (item[1].order, item[1].title)))

    def link(self, page: str, label: str, *, icon: str | None = None, **query: str) -> None:
        """Show a link to another page with its state."""
        if page in self.links:
            st.page_link(self.links[page], label=label, icon=icon, query_params=query)
