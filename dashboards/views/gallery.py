"""Gallery of the scenarios that come with the product."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Final

import streamlit as st

from equilibria.dashboards.page import Context, Page
from equilibria.dashboards.widgets import plain
from equilibria.sim import registry
from equilibria.sim.errors import EquilibriaError
from equilibria.sim.scenario import shipped

MAX_CARDS = 60
ALL: Final = "all"
OTHER: Final = "other"
# Topic by the folder of games that a scenario's game comes from.
TOPICS: Final = {
    "extensive": "extensive games",
    "matrix": "matrix and preference games",
    "vector": "cooperative and vector games",
    "foreign": "environments of other libraries",
    "auctions": "auctions and bidding",
    "markets": "order markets",
    "payments": "bandits and decisions",
    "decisions": "bandits and decisions",
    "population": "populations",
    "mesa": "populations",
    "robust": "robust decisions and design",
}
_GAME: Final = re.compile(r"^game:\s*\{?\s*use:\s*([a-z_0-9]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Card:
    """A shipped scenario.

    Attributes:
        name: Name for ``equilibria run``.
        what: What it does.
        paper: Its source.
        expect: What to expect.
        text: The file.
        topic: Group of games that its game belongs to.
    """

    name: str
    what: str
    paper: str
    expect: str
    text: str
    topic: str


def build() -> Page:
    """Return the page."""
    return Page(title="Gallery", section="Runs", icon=":material/collections:", order=5, render=render)


def render(context: Context) -> None:
    """Draw the page."""
    words, about, kind = st.columns([3, 2, 1])
    text = words.text_input("Filter", key="find", bind="query-params", placeholder="method, game, paper ...")
    topics = [ALL, *sorted({c.topic for c in cards()})]
    topic = about.selectbox("Topic", topics, key="topic", bind="query-params")
    quick = kind.selectbox("Size", ["all", "quick", "full"], key="size", bind="query-params")
    found = [c for c in cards() if _matches(c, text or "", quick, topic)]
    st.caption(f"{len(found)} scenarios; quick ones end in about a second once compiled.")
    columns = st.columns(2)
    for index, card in enumerate(found[:MAX_CARDS]):
        with columns[index % 2].container(border=True):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{card.name}**")
                st.caption(card.topic)
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
    return Card(name, found["What"], found["Paper"], found["Expect"], text, topic_of(text))


def topic_of(text: str) -> str:
    """Return the topic of a scenario's text by the game that it names; ``other`` for games of third parties."""
    named = _GAME.search(text)
    try:
        module = registry.find("game", named.group(1)).target.partition(":")[0] if named else ""
    except EquilibriaError:
        return OTHER
    return next((topic for part, topic in TOPICS.items() if part in module.split(".")), OTHER)


def _matches(card: Card, text: str, size: str, topic: str) -> bool:
    if topic not in (ALL, card.topic):
        return False
    if size != "all" and card.name.startswith("quick/") != (size == "quick"):
        return False
    place = f"{card.name} {card.topic} {card.what} {card.paper} {card.text}".lower()
    return all(word in place for word in text.lower().split())
