"""Match results as data: from a CSV file or a polars frame to win counts and a payoff matrix with errors.

Columns: ``a`` and ``b`` (names), ``score`` (what ``a`` achieved) and optionally ``games`` (how many games
the row stands for, default 1; ``score`` is then their mean).  ``score`` is a win share in [0, 1] (1 win,
1/2 draw, 0 loss) or, with ``kind="margin"``, any finite margin that ``b`` loses when ``a`` gains it.
Every mistake is reported with its line.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray

_LISTED = 10  # mistakes named in one message


@dataclass(frozen=True, slots=True)
class MatchResults:
    """Results between n agents.

    Attributes:
        names: Agent names in sorted order; axes of all arrays.
        games: [n, n] symmetric, games between two agents.
        mean: [n, n] mean score of the row agent against the column agent: a share in [0, 1] with
            mean[i, j] + mean[j, i] = 1 where games were played (1/2 elsewhere), or an antisymmetric margin.
        standard_error: [n, n] of the mean from the scatter of rows; NaN-free: infinite where fewer than two
            games were played.
        kind: ``"share"`` or ``"margin"``.
    """

    names: tuple[str, ...]
    games: FloatArray
    mean: FloatArray
    standard_error: FloatArray
    kind: str

    def wins(self) -> FloatArray:
        """Return [n, n] games won, draws as half a win, for ``bradley_terry``; needs shares."""
        if self.kind != "share":
            raise InvalidValue("wins need scores of kind 'share' (1 win, 1/2 draw, 0 loss), these are margins")
        return np.where(self.games > 0, self.mean, 0.0) * self.games

    def antisymmetric(self) -> FloatArray:
        """Return [n, n] payoffs with S = -S^T: 2 * share - 1, or the margin; 0 where nothing was played."""
        return 2 * self.mean - 1 if self.kind == "share" else self.mean

    def missing(self) -> list[tuple[str, str]]:
        """Return the pairs that never met."""
        i, j = np.nonzero(np.triu(self.games == 0, 1))
        return [(self.names[a], self.names[b]) for a, b in zip(i, j, strict=True)]


def read_results(path: str | Path, *, kind: Literal["share", "margin"] = "share") -> MatchResults:
    """Read match results from a CSV file with a header line.

    Raises:
        InvalidValue: If the file cannot be read, a column is missing, or rows are wrong; gives line numbers
            as in the file (the header is line 1).
    """
    try:
        frame = pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InvalidValue(f"{path}: cannot be read as CSV: {error}") from error
    return _collect(frame, kind, where=f"{path}: line ", first=2)


def results_from_frame(frame: pl.DataFrame, *, kind: Literal["share", "margin"] = "share") -> MatchResults:
    """Build match results from a polars frame; mistakes give row numbers counted from 0."""
    return _collect(frame, kind, where="row ", first=0)


def _collect(frame: pl.DataFrame, kind: str, *, where: str, first: int) -> MatchResults:
    if kind not in ("share", "margin"):
        raise InvalidValue(f"kind must be 'share' or 'margin', got {kind!r}")
    absent = [c for c in ("a", "b", "score") if c not in frame.columns]
    if absent:
        raise InvalidValue(f"match results need the columns a, b, score (and games); missing: {', '.join(absent)}")
    if frame.is_empty():
        raise InvalidValue("match results are empty: no rows")
    columns = [
        pl.col("a").cast(pl.String, strict=False).str.strip_chars().alias("a"),
        pl.col("b").cast(pl.String, strict=False).str.strip_chars().alias("b"),
        _number("score"),
        _number("games") if "games" in frame.columns else pl.lit(1.0).alias("games"),
    ]
    clean = frame.select(columns)
    _check_rows(clean, kind, where, first)
    return _summarise(clean, kind)


def _number(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String, strict=False).str.strip_chars().cast(pl.Float64, strict=False).alias(name)


def _check_rows(clean: pl.DataFrame, kind: str, where: str, first: int) -> None:
    score, games = pl.col("score"), pl.col("games")
    rules = [
        ("a name is empty", (pl.col("a").fill_null("") == "") | (pl.col("b").fill_null("") == "")),
        ("an agent plays itself", (pl.col("a") == pl.col("b")).fill_null(False)),
        ("score is empty or not a finite number", ~score.is_finite().fill_null(False)),
        ("games must be a finite number > 0", ~(games.is_finite() & (games > 0)).fill_null(False)),
    ]
    if kind == "share":
        rules.append(("score must lie in [0, 1] (or set kind='margin')", ((score < 0) | (score > 1)).fill_null(False)))
    found = []
    for text, rule in rules:
        rows = clean.select(rule.alias("bad"))["bad"].arg_true().to_list()
        found += [(row, f"{where}{row + first}: {text}") for row in rows]
    if found:
        found.sort()
        more = f"\n... and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
        raise InvalidValue("\n".join(text for _, text in found[:_LISTED]) + more)


def _summarise(clean: pl.DataFrame, kind: str) -> MatchResults:
    names = sorted(set(clean["a"].to_list()) | set(clean["b"].to_list()))
    place = {name: i for i, name in enumerate(names)}
    n = len(names)
    i = np.array([place[x] for x in clean["a"].to_list()])
    j = np.array([place[x] for x in clean["b"].to_list()])
    score, weight = clean["score"].to_numpy(), clean["games"].to_numpy()
    mirrored = 1 - score if kind == "share" else -score
    rows, columns = np.concatenate([i, j]), np.concatenate([j, i])
    values, weights = np.concatenate([score, mirrored]), np.concatenate([weight, weight])
    games, total, square = np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n))
    np.add.at(games, (rows, columns), weights)
    np.add.at(total, (rows, columns), weights * values)
    played = games > 0
    mean = np.divide(total, games, out=np.full((n, n), 0.5 if kind == "share" else 0.0), where=played)
    np.add.at(square, (rows, columns), weights * (values - mean[rows, columns]) ** 2)
    if kind == "share":
        # a row may stand for many games: their scatter is at most that of wins and losses
        lumped = np.zeros((n, n))
        np.add.at(lumped, (rows, columns), np.where(weights > 1, weights * values * (1 - values), 0.0))
        square += lumped
    error = np.full((n, n), np.inf)
    enough = games >= 2
    error[enough] = np.sqrt(square[enough] / (games[enough] - 1) / games[enough])
    np.fill_diagonal(error, 0.0)
    return MatchResults(tuple(names), games, mean, error, kind)
