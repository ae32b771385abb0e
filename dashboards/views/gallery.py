"""Gallery of the scenarios that come with the product."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import streamlit as st

from equilibria.dashboards.page import Context, Page
from equilibria.dashboards.widgets import plain
from equilibria.sim.scenario import shipped

MAX_CARDS = 60


@dataclass(frozen=True, slots=True)
class Card:
    """A shipped scenario.

    Attributes:
        name: Name for ``equilibria run``.
        what: What it does.
        paper: Its source.
        expect: What to expect.
        text: The file.
    """

    name: str
    what: str
    paper: str
    expect: str
    text: str


def build() -> Page:
    """Return the page."""
    return Page(title="Gallery", section="Runs", icon=":material/collections:", order=5, render=render)


def render(context: Context) -> None:
    """Draw the page."""
    words, kind = st.columns([3, 1])
    text = words.text_input("Filter", key="find", bind="query-params", placeholder="method, game, paper ...")
    quick = kind.selectbox("Size", ["all", "quick", "full"], key="size", bind="query-params")
    found = [c for c in cards() if _matches(c, text or "", quick)]
    st.caption(f"{len(found)} scenarios; quick ones end in about a second once compiled.")
    columns = st.columns(2)
    for index, card in enumerate(found[:MAX_CARDS]):
        with columns[index % 2].container(border=True):
            st.markdown(f"**{card.name}**")
            st.write(plain(card.what))
            st.caption(f"Source: {plain(card.paper)}  \nExpect: {plain(card.expect)}")
            context.link("launch", "Open in Launch", icon=":material/rocket_launch:", scenario=card.name)
    if len(found) > MAX_CARDS:
        st.info(f"{len(found) - MAX_CARDS} more; narrow the filter to see them.")


@functools.cache
def cards() -> tuple[Card, ...]:
    """Return the shipped scenarios with what their headers say."""
    return tuple(_card(name) for name in shipped.names())


def _card(name: str) -> Card:
    text = (shipped.folder() / f"{name}.yaml").read_text(encoding="utf-8")
    found = {"What": "", "Paper": "", "Expect": ""}
    current = ""
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        body = line.lstrip("# ").strip()
        head, colon, rest = body.partition(":")
        if colon and head in found:
            current, body = head, rest.strip()
        if current:
            found[current] = f"{found[current]} {body}".strip()
    return Card(name, found["What"], found["Paper"], found["Expect"], text)


def _matches(card: Card, text: str, size: str) -> bool:
    if size != "all" and card.name.startswith("quick/") != (size == "quick"):
        return False
    place = f"{card.name} {card.what} {card.paper} {card.text}".lower()
    return all(word in place for word in text.lower().split())
