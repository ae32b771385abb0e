"""What the readers of Gambit's text formats share: tokens with positions, numbers, labels.

Whitespace and commas separate; braces group; labels stand in double quotes with backslash escapes.
Numbers are integers, decimals (an exponent is allowed) or fractions such as ``1/3``.  Every error names
file, line and column.

Reference: the Gambit project's documentation of its game representation formats.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from equilibria.sim.errors import GameFileError

MAX_BYTES = 256 * 2**20
_TOKEN = re.compile(r'[\s,]*("(?:[^"\\]|\\.)*"|[{}]|[^\s,{}"]+)', re.DOTALL)
_SKIP = re.compile(r"[\s,]*")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?(?:/\d+(?:\.\d+)?)?\Z")
_LONGEST = 400
_REMEMBERED = 10_000
_LARGEST = Fraction(10) ** 300
_INTEGER = re.compile(r"\d{1,9}\Z")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Token:
    """A token and the offset of its first character."""

    text: str
    offset: int

    @property
    def is_label(self) -> bool:
        """Whether the token is a quoted label."""
        return self.text.startswith('"')


class TokenReader:
    """Hands out the tokens of a text one by one and builds errors with positions.

    Args:
        file: Name for error messages.
        text: The whole text.
    """

    def __init__(self, file: str, text: str) -> None:
        self.file, self._text = file, text
        self._position = 0
        self._ahead: Token | None = None
        self._numbers: dict[str, Fraction] = {}
        self.last = Token("", 0)

    def error(self, message: str, token: Token | None = None) -> GameFileError:
        """Return an error at a token (default: the last one that was taken)."""
        offset = (token or self.last).offset
        line = self._text.count("\n", 0, offset) + 1
        return GameFileError(self.file, message, line=line, column=offset - self._text.rfind("\n", 0, offset))

    def peek(self) -> Token | None:
        """Return the next token without taking it, ``None`` at the end of the text."""
        if self._ahead is None:
            match = _TOKEN.match(self._text, self._position)
            if match is None:
                start = _SKIP.match(self._text, self._position).end()  # type: ignore[union-attr]
                if start == len(self._text):
                    return None
                raise self.error("label without closing quotation mark", Token("", start))
            self._ahead, self._position = Token(match.group(1), match.start(1)), match.end()
        return self._ahead

    def take(self, expected: str) -> Token:
        """Take the next token; ``expected`` says for what it is needed."""
        token = self.peek()
        if token is None:
            raise self.error(
                f"the file ends where {expected} was expected", Token("", max(0, len(self._text.rstrip())))
            )
        self._ahead, self.last = None, token
        return token

    def word(self, *options: str) -> str:
        """Take one of the given words."""
        token = self.take(" or ".join(map(repr, options)))
        if token.text not in options:
            raise self.error(f"expected {' or '.join(map(repr, options))}, found {token.text!r}")
        return token.text

    def label(self, what: str) -> str:
        """Take a quoted label and return its text."""
        token = self.take(f"{what} in quotation marks")
        if not token.is_label:
            raise self.error(f"expected {what} in quotation marks, found {token.text!r}")
        text = token.text[1:-1]
        return _ESCAPE.sub(r"\1", text) if "\\" in text else text

    def integer(self, what: str, *, low: int = 0, high: int | None = None) -> int:
        """Take an integer in low..high."""
        token = self.take(what)
        if not _INTEGER.match(token.text):
            raise self.error(f"expected {what} (an integer), found {token.text!r}")
        value = int(token.text)
        if value < low or (high is not None and value > high):
            bound = f"{low}..{high}" if high is not None else f"at least {low}"
            raise self.error(f"{what} must be {bound}, found {value}")
        return value

    def number(self, what: str) -> Fraction:
        """Take an exact number."""
        token = self.take(what)
        known = self._numbers.get(token.text)
        if known is not None:
            return known
        if len(token.text) > _LONGEST or not _NUMBER.match(token.text):
            raise self.error(f"expected {what} (a number such as 2, -0.5 or 1/3), found {token.text!r}")
        top, _, bottom = token.text.partition("/")
        value = Fraction(top)
        if bottom:
            denominator = Fraction(bottom)
            if denominator == 0:
                raise self.error(f"{what} {token.text!r} divides by zero")
            value /= denominator
        if abs(value) > _LARGEST:
            raise self.error(f"{what} {token.text!r} is too large")
        if len(self._numbers) < _REMEMBERED:
            self._numbers[token.text] = value
        return value

    def at(self, text: str) -> bool:
        """Whether the next token is exactly ``text``."""
        token = self.peek()
        return token is not None and token.text == text

    def at_label(self) -> bool:
        """Whether the next token is a quoted label."""
        token = self.peek()
        return token is not None and token.is_label

    def labels(self, what: str) -> list[str]:
        """Take a list of labels in braces."""
        self.word("{")
        found = []
        while not self.at("}"):
            found.append(self.label(what))
        self.word("}")
        return found

    def numbers(self, what: str) -> list[Fraction]:
        """Take a list of numbers in braces."""
        self.word("{")
        found = []
        while not self.at("}"):
            found.append(self.number(what))
        self.word("}")
        return found


def open_text(path: str | Path) -> TokenReader:
    """Read a text file.

    Raises:
        GameFileError: If it is missing, a folder, above 256 MiB or not UTF-8.
    """
    name = str(path)
    try:
        size = Path(path).stat().st_size
        if size > MAX_BYTES:
            raise GameFileError(name, f"the file has {size} bytes, at most {MAX_BYTES} are read")
        return TokenReader(name, Path(path).read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise GameFileError(name, f"the file is not UTF-8 text ({error.reason} at byte {error.start})") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise GameFileError(name, f"cannot read the file: {reason}") from error


def quote(label: str) -> str:
    """Return a label in quotation marks."""
    return '"' + label.replace("\\", "\\\\").replace('"', '\\"') + '"'


def format_number(value: float) -> str:
    """Return the shortest decimal text that reads back as the same float."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def distinct(labels: list[str]) -> list[str]:
    """Return labels made distinct: empty ones become their 1-based number, repeated ones get it as a suffix."""
    seen: set[str] = set()
    result = []
    for number, label in enumerate(labels, start=1):
        name = label or str(number)
        while name in seen:
            name = f"{name}#{number}"
        seen.add(name)
        result.append(name)
    return result
