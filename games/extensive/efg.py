"""Reader and writer of Gambit's extensive-game text format (``.efg``, version 2).

A file lists the nodes in depth-first order::

    EFG 2 R "title" { "player 1" "player 2" } "comment"
    c "" 1 "deal" { "red" 1/2 "black" 1/2 } 0
    p "" 1 1 "seen red" { "bet" "fold" } 0
    t "" 1 "won" { 1, -1 }

``c`` chance, ``p`` decision, ``t`` terminal.  Names, actions and payoffs stand where an infoset or outcome
is used first and may be left out later.  Outcomes at inner nodes are paid on the way and added up.
Infosets get their own name as information state when it is unique for the player, else ``name#number``.

Reference: the Gambit project's documentation of the .efg format.  Cost: about 20 microseconds per node.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.gambit_text import TokenReader, distinct, format_number, open_text, quote
from equilibria.games.extensive.tree import CHANCE_TOLERANCE, Chance, Decision, GameTree, Node, Terminal
from equilibria.sim.errors import GameFileError, ImperfectRecall, InvalidValue

_CHANCE_PLAYER = -1


@dataclass(slots=True)
class _Infoset:
    number: int
    name: str
    actions: list[str]
    probabilities: list[Fraction]


@dataclass(slots=True)
class _Record:
    """One node as it stands in the file; ``infoset`` is None at terminals."""

    player: int
    infoset: _Infoset | None
    paid: tuple[Fraction, ...]


@dataclass(slots=True)
class _Book:
    """What the file has defined so far."""

    players: list[str]
    infosets: dict[tuple[int, int], _Infoset] = field(default_factory=dict)
    outcomes: dict[int, tuple[Fraction, ...]] = field(default_factory=dict)


def read_efg(path: str | Path) -> GameTree:
    """Read an ``.efg`` file as a tree.

    Raises:
        GameFileError: With file, line and column of the first mistake.
    """
    return parse_efg(open_text(path))


def load_efg(path: str | Path) -> ExtensiveGame:
    """Read an ``.efg`` file as a game for the tabular solvers.

    Raises:
        GameFileError: With file, line and column of the first mistake.
        ImperfectRecall: If an infoset joins different own histories.
    """
    tree = read_efg(path)
    try:
        return tree.game()
    except ImperfectRecall as error:
        raise ImperfectRecall(f"{path}: {error}") from error


def parse_efg(reader: TokenReader) -> GameTree:
    """Read the tokens of an ``.efg`` text as a tree."""
    title, players = _prologue(reader)
    book = _Book(players)
    records: list[_Record] = []
    open_nodes: list[tuple[int, tuple[Fraction, ...]]] = [(1, (Fraction(0),) * len(players))]
    while open_nodes:
        missing, paid = open_nodes.pop()
        record = _node(reader, book, paid)
        records.append(record)
        if missing > 1:
            open_nodes.append((missing - 1, paid))
        if record.infoset is not None:
            open_nodes.append((len(record.infoset.actions), record.paid))
    extra = reader.peek()
    if extra is not None:
        raise reader.error(f"the tree is complete, but {extra.text!r} follows", extra)
    try:
        return GameTree(title, tuple(distinct(players)), _assemble(records, book))
    except InvalidValue as error:
        raise GameFileError(reader.file, str(error)) from error


def _prologue(reader: TokenReader) -> tuple[str, list[str]]:
    reader.word("EFG")
    reader.word("2")
    reader.word("R", "D")
    title = reader.label("the title")
    players = reader.labels("a player name")
    if not players:
        raise reader.error("a game needs at least one player")
    if reader.at_label():
        reader.label("the comment")
    return title, players


def _node(reader: TokenReader, book: _Book, paid: tuple[Fraction, ...]) -> _Record:
    kind = reader.word("c", "p", "t")
    if reader.at_label():
        reader.label("the node name")
    if kind == "t":
        return _Record(0, None, _outcome(reader, book, paid))
    player = _CHANCE_PLAYER
    if kind == "p":
        player = reader.integer("the player number", low=1, high=len(book.players)) - 1
    infoset = _infoset(reader, book, player)
    return _Record(player, infoset, _outcome(reader, book, paid))


def _infoset(reader: TokenReader, book: _Book, player: int) -> _Infoset:
    number = reader.integer("the information set number", low=1)
    where = reader.last
    name = reader.label("the information set name") if reader.at_label() else ""
    known = book.infosets.get((player, number))
    if not reader.at("{"):
        if known is None:
            raise reader.error(f"information set {number} is used first here and needs its list of actions", where)
        return known
    actions, probabilities = _actions(reader, chance=player == _CHANCE_PLAYER)
    if known is None:
        known = _Infoset(number, name, actions, probabilities)
        book.infosets[player, number] = known
    elif known.actions != actions or known.probabilities != probabilities:
        raise reader.error(f"information set {number} has actions {actions} here and {known.actions} before", where)
    return known


def _actions(reader: TokenReader, *, chance: bool) -> tuple[list[str], list[Fraction]]:
    reader.word("{")
    start = reader.last
    labels: list[str] = []
    probabilities: list[Fraction] = []
    while not reader.at("}"):
        labels.append(reader.label("an action name"))
        if chance:
            probabilities.append(reader.number("a chance probability"))
            if probabilities[-1] < 0:
                raise reader.error(f"chance probabilities must not be negative, found {reader.last.text!r}")
    reader.word("}")
    if not labels:
        raise reader.error("an information set needs at least one action", start)
    if chance and abs(float(sum(probabilities)) - 1.0) > CHANCE_TOLERANCE:
        raise reader.error(f"chance probabilities must sum to 1, they sum to {float(sum(probabilities))!r}", start)
    return distinct(labels), probabilities


def _outcome(reader: TokenReader, book: _Book, paid: tuple[Fraction, ...]) -> tuple[Fraction, ...]:
    number = reader.integer("the outcome number")
    where = reader.last
    if reader.at_label():
        reader.label("the outcome name")
    if reader.at("{"):
        payoffs = tuple(reader.numbers("a payoff"))
        if len(payoffs) != len(book.players):
            raise reader.error(f"outcome {number} has {len(payoffs)} payoffs, expected {len(book.players)}", where)
        if number == 0:
            raise reader.error("outcome 0 means no outcome and cannot have payoffs", where)
        if book.outcomes.setdefault(number, payoffs) != payoffs:
            raise reader.error(f"outcome {number} has other payoffs than before", where)
    if number == 0:
        return paid
    if number not in book.outcomes:
        raise reader.error(f"outcome {number} is used first here and needs its payoffs", where)
    payoffs = book.outcomes[number]
    return tuple(a + b for a, b in zip(paid, payoffs, strict=True)) if any(paid) else payoffs


def _names(book: _Book) -> dict[tuple[int, int], str]:
    """Give every infoset an information state that is unique for its player."""
    uses: dict[tuple[int, str], int] = {}
    for (player, _), infoset in book.infosets.items():
        uses[player, infoset.name] = uses.get((player, infoset.name), 0) + 1
    return {
        (player, number): infoset.name
        if infoset.name and uses[player, infoset.name] == 1
        else f"{infoset.name}#{number}"
        for (player, number), infoset in book.infosets.items()
    }


def _assemble(records: list[_Record], book: _Book) -> Node:
    """Build the tree from its depth-first list, last node first."""
    names, ready = _names(book), list[Node]()
    for record in reversed(records):
        infoset = record.infoset
        if infoset is None:
            ready.append(Terminal(tuple(map(float, record.paid))))
            continue
        children = tuple(ready.pop() for _ in infoset.actions)
        if record.player == _CHANCE_PLAYER:
            probabilities = tuple(map(float, infoset.probabilities))
            ready.append(Chance(tuple(infoset.actions), probabilities, children))
        else:
            text = names[record.player, infoset.number]
            ready.append(Decision(record.player, text, tuple(infoset.actions), children))
    return ready[0]


def format_efg(tree: GameTree, comment: str = "") -> str:
    """Return a tree in the ``.efg`` format; reading it back gives an equal tree up to the order of infosets."""
    players = " ".join(quote(name) for name in tree.players)
    lines = [f"EFG 2 R {quote(tree.name)} {{ {players} }}", quote(comment), ""]
    numbers: dict[tuple[int, object], int] = {}
    count = [0] * (len(tree.players) + 1)
    outcome = 0
    for node, _ in tree.walk():
        if isinstance(node, Terminal):
            outcome += 1
            lines.append(f't "" {outcome} "" {{ {", ".join(map(format_number, node.payoffs))} }}')
            continue
        player = node.player + 1 if isinstance(node, Decision) else 0
        key = (player, node.infoset if isinstance(node, Decision) else count[0])
        if key not in numbers:
            count[player] += 1
            numbers[key] = count[player]
        lines.append(_format_inner(node, numbers[key]))
    return "\n".join(lines) + "\n"


def _format_inner(node: Chance | Decision, number: int) -> str:
    if isinstance(node, Decision):
        actions = " ".join(map(quote, node.actions))
        return f'p "" {node.player + 1} {number} {quote(node.infoset)} {{ {actions} }} 0'
    pairs = zip(node.actions, node.probabilities, strict=True)
    actions = " ".join(f"{quote(action)} {format_number(p)}" for action, p in pairs)
    return f'c "" {number} "" {{ {actions} }} 0'


def write_efg(tree: GameTree, path: str | Path, comment: str = "") -> None:
    """Write a tree to an ``.efg`` file, replacing it."""
    try:
        Path(path).write_text(format_efg(tree, comment), encoding="utf-8")
    except OSError as error:
        raise GameFileError(str(path), f"cannot write the file: {error.strerror}") from error
