"""Logs of real campaigns: theta files and the folders of make-ipinyou-data.

* Theta files: ``click price theta`` per line, separated by blanks, no header (``*.txt``), or CSV and
  Parquet files with columns click, price, theta.
* ``*.yzx.txt``: ``click price i1:1 i2:1 ...``, the features of a request by index.
* ``*.log.txt``: tab-separated with a header; column 0 is the click, 23 the price paid.

Text files are read line-wise in blocks by polars.  A broken line is reported with its number: the
default refuses the file, naming the first broken lines and their count; ``broken="skip"`` drops them
and logs the same report.  Prices above 300 are clipped and counted.

Format: W. Zhang's formatter make-ipinyou-data; Zhang, Yuan, Wang, Shen (2014), arXiv 1407.7073.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from equilibria.games.auctions.rtb.requests import Requests
from equilibria.games.auctions.rtb.rules import MAX_PRICE
from equilibria.sim.errors import GameFileError

_log = logging.getLogger(__name__)

BLOCK_BYTES: Final = 16_000_000
"""Bytes of text per block."""
SHOWN: Final = 5
PRICE_COLUMN: Final = 23
_ENDINGS: Final = (".theta.txt", ".csv", ".parquet")
Broken = Literal["refuse", "skip"]


@dataclass(slots=True)
class Report:
    """What was found in a file.

    Attributes:
        file: Its path as given.
        lines: Data lines read.
        broken: Number of broken lines.
        first: Line number and reason of the first ones.
        clipped: Number of prices above 300.
    """

    file: str
    lines: int = 0
    broken: int = 0
    clipped: int = 0
    first: list[tuple[int, str]] | None = None

    def add(self, number: int, reason: str) -> None:
        """Note a broken line."""
        self.broken += 1
        self.first = self.first or []
        if len(self.first) < SHOWN:
            self.first.append((number, reason))

    def sentence(self) -> str:
        """Return the report in one sentence."""
        shown = "; ".join(f"line {number}: {reason}" for number, reason in self.first or [])
        return f"{self.broken} of {self.lines} lines are broken ({shown})"


def load_pair(folder: str | Path, *, broken: Broken = "refuse") -> tuple[Requests, Requests]:
    """Return (train, test) of a folder with ``train`` and ``test`` theta files of any accepted ending.

    Raises:
        GameFileError: If a file is missing, empty or broken.
    """
    where = Path(folder)
    streams = []
    for phase in ("train", "test"):
        found = [where / f"{phase}{ending}" for ending in _ENDINGS if (where / f"{phase}{ending}").is_file()]
        if not found and (where / f"{phase}.yzx.txt").is_file():
            from equilibria.games.auctions.rtb.ipinyou import load_ipinyou

            return load_ipinyou(where, broken=broken)
        if not found:
            names = ", ".join(f"{phase}{e}" for e in (*_ENDINGS, ".yzx.txt"))
            raise GameFileError(str(where), f"has no file of the {phase} phase; expected one of {names}")
        streams.append(load_theta(found[0], broken=broken)[0])
    return streams[0], streams[1]


def load_theta(path: str | Path, *, broken: Broken = "refuse") -> tuple[Requests, Report]:
    """Return the requests of a theta file, and the report on its lines.

    Raises:
        GameFileError: If it cannot be read, is empty, or has broken lines that are not to be skipped;
            the error's line is the first broken one.
    """
    import polars as pl

    file = Path(path)
    report = Report(str(path))
    frames: Iterable[Any]
    try:
        if file.suffix == ".parquet":
            frames = [_named(pl.read_parquet(file), report)]
            first_line = 1
        elif file.suffix == ".csv":
            frames = [_named(pl.read_csv(file, infer_schema=False), report)]
            first_line = 2
        else:
            frames, first_line = _blocks(file), 1  # one block at a time: a file may be larger than memory
    except (OSError, pl.exceptions.PolarsError) as error:
        raise GameFileError(str(path), f"cannot be read: {error}") from error
    parts = []
    for frame in frames:
        parts.append(_checked(frame, report, first_line))
        first_line += frame.height
    return _requests(parts, report, broken), report


def _requests(parts: list[Any], report: Report, broken: Broken) -> Requests:
    """Join the checked blocks and act on the report."""
    settle(report, broken, sum(p[0].size for p in parts))
    click, price, theta = (np.concatenate([p[k] for p in parts]) for k in range(3))
    return Requests(theta, price.astype(np.uint16), click.astype(np.uint8), click.astype(np.float64))


def settle(report: Report, broken: Broken, good: int) -> None:
    """Refuse or report broken lines; warn of clipped prices.

    Args:
        report: What was found.
        broken: Whether broken lines are refused.
        good: Number of good lines.

    Raises:
        GameFileError: If lines are broken and not to be skipped, or there is no good line.
    """
    if report.lines == 0:
        raise GameFileError(report.file, "is empty; expected one request per line")
    if report.broken:
        number = report.first[0][0] if report.first else 0
        if broken == "refuse":
            raise GameFileError(report.file, f"{report.sentence()}; correct them or skip broken lines", line=number)
        _log.warning("%s: %s; they are skipped", report.file, report.sentence())
    if report.clipped:
        _log.warning("%s: %d prices above %d are clipped to it", report.file, report.clipped, MAX_PRICE)
    if good == 0:
        raise GameFileError(report.file, "has no usable line")


def lines_of(file: Path) -> Iterator[list[str]]:
    """Yield the stripped lines of a text file in blocks.

    Raises:
        GameFileError: If the file cannot be read.
    """
    try:
        with file.open("rb") as handle:
            while lines := handle.readlines(BLOCK_BYTES):
                yield [line.decode("utf-8", "replace").strip("\r\n ") for line in lines]
    except OSError as error:
        raise GameFileError(str(file), f"cannot be read: {error.strerror or error}") from error


def _blocks(file: Path) -> Iterator[Any]:
    """Yield frames of text columns click, price, theta from a blank-separated file."""
    import polars as pl

    for lines in lines_of(file):
        fields = pl.Series("line", lines).str.split(" ")
        columns = {name: fields.list.get(k, null_on_oob=True) for k, name in enumerate(("click", "price", "theta"))}
        yield pl.DataFrame({**columns, "fields": fields.list.len()})


def _named(frame: Any, report: Report) -> Any:
    """Return the columns click, price, theta of a table as text, with the number of fields."""
    import polars as pl

    missing = {"click", "price", "theta"} - set(frame.columns)
    if missing:
        raise GameFileError(report.file, f"has no column {sorted(missing)}; it has {frame.columns}")
    text = frame.select(pl.col(c).cast(pl.String) for c in ("click", "price", "theta"))
    return text.with_columns(pl.lit(3).alias("fields"))


def _checked(frame: Any, report: Report, first_line: int) -> tuple[Any, Any, Any]:
    """Return the good values of a block; note the broken lines."""
    import polars as pl

    values = frame.select(
        pl.col("click").cast(pl.Float64, strict=False),
        pl.col("price").cast(pl.Float64, strict=False),
        pl.col("theta").cast(pl.Float64, strict=False),
    )
    click, price, theta = (values[c].fill_null(float("nan")).to_numpy() for c in ("click", "price", "theta"))
    tests: list[tuple[Any, Callable[[int], str]]] = [
        (frame["fields"].to_numpy() == 3, lambda i: f"has {frame['fields'][i]} fields, expected click, price, theta"),
        ((click == 0) | (click == 1), lambda i: f"click must be 0 or 1, got {frame['click'][i]!r}"),
        ((price >= 0) & (price == np.floor(price)) & np.isfinite(price),
         lambda i: f"price must be a whole number of at least 0, got {frame['price'][i]!r}"),
        ((theta >= 0) & (theta <= 1), lambda i: f"theta must lie in [0, 1], got {frame['theta'][i]!r}"),
    ]  # fmt: skip
    good = np.ones(frame.height, np.bool_)
    for passed, _ in tests:
        good &= passed
    for i in np.flatnonzero(~good).tolist():
        reason = next(says(i) for passed, says in tests if not passed[i])
        report.add(first_line + i, reason)
    report.lines += frame.height
    kept = price[good]
    report.clipped += int((kept > MAX_PRICE).sum())
    return click[good], np.minimum(kept, MAX_PRICE), theta[good]
