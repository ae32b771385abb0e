"""YAML text to nodes with positions, in one pass and without trust.

The composer below consumes the parser's event stream with an explicit stack, so nesting cannot
overflow Python's, and it stops at the first excess: size, depth, number of nodes, expanded text.
Every mistake that leaves the rest readable is collected.

Cost: linear in the file, about 2 s for the largest file that is accepted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from equilibria.sim.errors import Problem, ScenarioError
from equilibria.sim.scenario.nodes import Node, Place
from equilibria.sim.scenario.scalars import COLLECTION_TAGS, Refused, scalar, show_tag, tag_of, visible

MAX_NODES: Final = 50_000  # keeps the slowest file below two seconds
MAX_DEPTH: Final = 64
MAX_TEXT: Final = 4_000_000  # characters after aliases are expanded
MAX_TAG: Final = 1_000  # the parser needs quadratic time for the tag's characters


def compose(text: str, shown: str) -> tuple[Node, list[Problem]]:
    """Turn YAML text into nodes.

    Args:
        text: The document.
        shown: File name for positions.

    Returns:
        The top-level node and the mistakes that left the rest readable, in the order found.

    Raises:
        ScenarioError: If the text is no YAML, holds no or two documents, or exceeds a limit.
    """
    return _Composer(shown).run(text)


@dataclass(slots=True)
class _Frame:
    """A collection that is being filled."""

    node: Node
    path: str
    anchor: str | None
    key: str | None = None  # key that waits for its value
    skip: bool = False  # the waiting key was refused; its value is read and dropped


class _Composer:
    """Event stream to nodes; one instance per document."""

    def __init__(self, shown: str) -> None:
        self.shown = shown
        self.problems: list[Problem] = []
        self.stack: list[_Frame] = []
        self.anchors: dict[str, Node | None] = {}
        self.root: Node | None = None
        self.nodes = self.chars = 0

    def run(self, text: str) -> tuple[Node, list[Problem]]:
        long_tag = re.search(rf"!\S{{{MAX_TAG}}}", text)
        if long_tag:
            line = text.count("\n", 0, long_tag.start()) + 1
            column = long_tag.start() - text.rfind("\n", 0, long_tag.start())
            raise self._fatal(line, column, f"a tag of more than {MAX_TAG} characters; remove it")
        for event in self._events(text):
            handler = getattr(self, f"_on_{type(event).__name__}", None)
            if handler is not None:
                handler(event)
        if self.root is None:
            raise self._fatal(0, 0, "the file is empty; start with `version: 1`, or run `equilibria new NAME`")
        return self.root, self.problems

    def _events(self, text: str) -> Iterator[Any]:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import MarkedYAMLError, YAMLError
        from ruamel.yaml.reader import ReaderError

        events = YAML(typ="safe", pure=True).parse(text)
        while True:
            try:
                event = next(events, None)
            except MarkedYAMLError as error:
                mark = error.problem_mark or error.context_mark
                line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
                raise self._fatal(line, column, _explain(error, text, line)) from None
            except ReaderError as error:
                at = int(getattr(error, "position", 0))
                line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
                message = f"character {_code(error.character)} is not allowed in YAML; remove it"
                raise self._fatal(line, column, message) from None
            except (YAMLError, ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:
                # the parser itself stumbles over some malformed directives and tags
                raise self._fatal(0, 0, f"is not readable as YAML ({error}); check the file's first lines") from None
            if event is None:
                return
            yield event

    def _fatal(self, line: int, column: int, message: str) -> ScenarioError:
        key = self._here() if self.stack else ""
        return ScenarioError([*self.problems, Problem(self.shown, line, column, key, message)])

    def _problem(self, place: Place, key: str, message: str) -> None:
        self.problems.append(Problem(*place, key, message))

    def _place(self, event: Any) -> Place:
        return (self.shown, event.start_mark.line + 1, event.start_mark.column + 1)

    def _here(self) -> str:
        """Return the dotted path of the value that comes next."""
        if not self.stack:
            return ""
        frame = self.stack[-1]
        name = frame.key or "" if isinstance(frame.node.value, dict) else str(len(frame.node.value))
        return f"{frame.path}.{name}".strip(".")

    def _expects_key(self) -> bool:
        if not self.stack:
            return False
        frame = self.stack[-1]
        return isinstance(frame.node.value, dict) and frame.key is None and not frame.skip

    def _count(self, event: Any, nodes: int, chars: int, height: int) -> None:
        """Stop when the document grows beyond a limit."""
        self.nodes += nodes
        self.chars += chars
        _, line, column = self._place(event)
        if self.nodes > MAX_NODES:
            raise self._fatal(line, column, f"more than {MAX_NODES} values (aliases counted); make the file smaller")
        if self.chars > MAX_TEXT:
            raise self._fatal(line, column, f"more than {MAX_TEXT} characters after aliases; make the file smaller")
        if len(self.stack) + height > MAX_DEPTH:
            raise self._fatal(line, column, f"nested deeper than {MAX_DEPTH} levels; flatten the structure")

    # events, named as ruamel's classes

    def _on_DocumentStartEvent(self, event: Any) -> None:
        _, line, column = self._place(event)
        if self.root is not None:
            raise self._fatal(line, column, "a second document starts here; keep one scenario per file")
        if event.version is not None and tuple(event.version) != (1, 2):
            raise self._fatal(line, column, "a %YAML directive of another version than 1.2; remove the directive")

    def _on_ScalarEvent(self, event: Any) -> None:
        self._count(event, 1, len(event.value), 1)
        place = self._place(event)
        if self._expects_key():
            self._take_key(event, place)
            return
        try:
            value, bad = scalar(event), False
        except Refused as refusal:
            self._problem(place, self._here(), str(refusal))
            value, bad = None, True
        self._attach(Node(value, place, bad=bad, text=len(event.value)), event.anchor)

    def _take_key(self, event: Any, place: Place) -> None:
        frame = self.stack[-1]
        try:
            key = scalar(event)
            if event.value == "<<" and event.implicit[0]:
                raise Refused("merge keys are not supported; write the values out")
            if not isinstance(key, str):
                raise Refused(f'key {event.value!r} is not text; put it in quotes: "{event.value}"')
            if not key.isprintable():
                raise Refused(f"key {key[:80]!r} holds control characters; use plain words")
            if key in frame.node.value:
                first = frame.node.keys[key][1]
                raise Refused(f"key {key!r} stands here twice (first in line {first}); keep one of them")
        except Refused as refusal:
            self._problem(place, f"{frame.path}.{visible(event.value[:80])}".strip("."), str(refusal))
            frame.skip = True
            return
        frame.key = key
        frame.node.keys[key] = place

    def _on_SequenceStartEvent(self, event: Any) -> None:
        self._open(event, [])

    def _on_MappingStartEvent(self, event: Any) -> None:
        self._open(event, {})

    def _open(self, event: Any, value: Any) -> None:
        self._count(event, 1, 0, 1)
        place = self._place(event)
        if self._expects_key():
            raise self._fatal(place[1], place[2], "a key must be text, not a list or mapping; use a plain word")
        tag = tag_of(event)
        bad = tag not in COLLECTION_TAGS
        if bad:
            self._problem(place, self._here(), f"tag {show_tag(tag)} is not allowed; remove it")
        if event.anchor is not None:
            self.anchors[event.anchor] = None  # known, not complete: an alias inside is a loop
        self.stack.append(_Frame(Node(value, place, bad=bad), self._here(), event.anchor))

    def _on_SequenceEndEvent(self, event: Any) -> None:
        self._close()

    def _on_MappingEndEvent(self, event: Any) -> None:
        self._close()

    def _close(self) -> None:
        frame = self.stack.pop()
        node = frame.node
        children = list(node.value.values()) if isinstance(node.value, dict) else node.value
        node.nodes = 1 + sum(c.nodes for c in children) + len(node.keys)
        node.text = sum(c.text for c in children) + sum(map(len, node.keys))
        node.height = 1 + max((c.height for c in children), default=0)
        self._attach(node, frame.anchor)

    def _on_AliasEvent(self, event: Any) -> None:
        place = self._place(event)
        target = self.anchors.get(event.anchor)
        if self._expects_key():
            self._problem(place, self.stack[-1].path, "an alias cannot be a key; write the key out")
            self.stack[-1].skip = True
            return
        if target is None:
            known = event.anchor in self.anchors
            what = "refers to a value that contains it" if known else "has no anchor before it"
            self._problem(place, self._here(), f"alias *{event.anchor[:80]} {what}; write the value out")
            self._attach(Node(None, place, bad=True), None)
            return
        self._count(event, target.nodes, target.text, target.height)
        self._attach(target, None)

    def _attach(self, node: Node, anchor: str | None) -> None:
        """Put a finished node into the collection that is open."""
        if anchor is not None:
            self.anchors[anchor] = node
        if not self.stack:
            self.root = node
            return
        frame = self.stack[-1]
        if isinstance(frame.node.value, list):
            frame.node.value.append(node)
        elif frame.skip:
            frame.skip = False
        elif frame.key is not None:
            frame.node.value[frame.key] = node
            frame.key = None


def _code(character: Any) -> str:
    number = character if isinstance(character, int) else ord(character[:1] or "\0")
    return f"U+{number:04X}"


def _explain(error: Any, text: str, line: int) -> str:
    """Say what the parser found in the words of someone who edits the file."""
    what = " ".join(str(error.problem or error.context or "syntax error").split())
    lines = text.splitlines()
    there = lines[line - 1] if 0 < line <= len(lines) else ""
    context = str(error.context or "")
    opened = f" (opened in line {error.context_mark.line + 1})" if error.context_mark is not None else ""
    if re.match(r" *\t", there) or "'\\t'" in what:
        return "a tab in the indentation; use spaces"
    if "flow sequence" in context:
        return f"the list is not closed{opened}; add the missing ']' or ','"
    if "flow mapping" in context:
        return f"the mapping is not closed{opened}; add the missing '}}' or ','"
    if "quoted scalar" in context:
        return f"the quoted text is not closed{opened}; add the missing quote"
    if "mapping values are not allowed" in what:
        return "a ':' is not allowed here; put the value in quotes or check the indentation"
    if "block mapping" in context or "block collection" in context or "simple key" in context:
        return f"{what}; check the indentation and that every line reads `key: value`"
    return f"{what}; check the syntax of this line"
