"""AuctionNet's csv logs: one line per (delivery period, advertiser, time step, impression).

Eighteen columns in any order, further ones are ignored; a line has as many fields as the header.  ``pValue`` and
``pValueSigma`` are mean and deviation of the conversion probability, ``xi`` says whether one of the three slots was
won, ``cost`` is the price that an exposed slot costs, ``leastWinningCost`` the fourth highest bid of the impression,
``remainingBudget`` and ``isEnd`` belong to the step.  Files may be gzipped; a folder holds one or several periods per
file.

A file is read in blocks, every line of it is checked, and the wanted periods and advertisers are kept.  The default
refuses a file with broken lines, naming the first ones and their count; ``broken="skip"`` drops them and logs the same
report.  Files of a folder are read when their first trajectory is asked for, one at a time.

Source: format of the published data set and competition (Su et al., 2024, arXiv 2412.10798).
Cost: a million lines take about 2 s and, where kept, 50 MB.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from equilibria.games.auctions.rtb.logs import Broken, Report, settle
from equilibria.games.auctions.simulators.net_settings import SLOTS, STEPS
from equilibria.sim.errors import GameFileError
from equilibria.sim.types import BoolArray, FloatArray, IntArray

FIELDS: Final = (
    "deliveryPeriodIndex", "advertiserNumber", "advertiserCategoryIndex", "budget", "CPAConstraint", "timeStepIndex",
    "remainingBudget", "pvIndex", "pValue", "pValueSigma", "bid", "xi", "adSlot", "cost", "isExposed",
    "conversionAction", "leastWinningCost", "isEnd",
)  # fmt: skip
BLOCK_BYTES: Final = 32_000_000
MOST_ROWS: Final = 60_000_000
"""Lines of one file that are kept in memory at most (about 3 GB)."""
_COUNTS = ("deliveryPeriodIndex", "advertiserNumber", "advertiserCategoryIndex", "pvIndex")
_FLAGS = ("xi", "isExposed", "conversionAction", "isEnd")
_AMOUNTS = ("pValueSigma", "bid", "cost", "leastWinningCost")
_OWN = ("advertiserCategoryIndex", "budget", "CPAConstraint")
_KEPT = (
    "deliveryPeriodIndex", "advertiserNumber", "timeStepIndex", "pvIndex", "pValue", "pValueSigma", "bid", "adSlot",
    "cost", "isExposed", "conversionAction", "leastWinningCost",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Trajectory:
    """What one advertiser met in one delivery period: n impressions, ordered by step and number.

    Attributes:
        period: Delivery period.
        advertiser: Number of the advertiser.
        category: Number of its category.
        budget: Money for the period, above 0.
        cpa_limit: Money per conversion, above 0.
        start: int64 [49]; the impressions of step t are ``start[t] .. start[t + 1] - 1``.
        predicted: float32 [n] predicted values (conversion probabilities).
        sigma: float64 [n] their standard deviations.
        least: float64 [n] least winning cost.
        bid: float64 [n] logged bids.
        slot: int8 [n] slot that the logged bid won, 1..3, or 0.
        cost: float64 [n] price of the slot, paid if it was exposed.
        exposed: bool [n].
        converted: bool [n].
    """

    period: int
    advertiser: int
    category: int
    budget: float
    cpa_limit: float
    start: IntArray
    predicted: NDArray[np.float32]
    sigma: FloatArray
    least: FloatArray
    bid: FloatArray
    slot: NDArray[np.int8]
    cost: FloatArray
    exposed: BoolArray
    converted: BoolArray

    @property
    def logged(self) -> tuple[float, float, float]:
        """Money spent, conversions, and predicted conversions (sum of exposed values) of the logged bids."""
        shown = self.exposed & (self.slot > 0)
        return (
            float(self.cost[shown].sum()), float(self.converted[shown].sum()),
            float(self.predicted[shown].sum(dtype=np.float64)),
        )  # fmt: skip


class NetLog:
    """The trajectories of a csv file, or of the csv files of a folder in the order of their numbers.

    Args:
        path: A file or a folder of ``*.csv`` and ``*.csv.gz``.
        periods: Delivery periods to keep, ``None`` for all.
        advertisers: Advertisers to keep, ``None`` for all.
        broken: ``"refuse"`` or ``"skip"`` broken lines; both report them.

    Attributes:
        reports: One per file read so far.

    Raises:
        GameFileError: If there is no such file.
    """

    def __init__(
        self, path: str | Path, *, periods: Collection[int] | None = None, advertisers: Collection[int] | None = None,
        broken: Broken = "refuse",
    ) -> None:  # fmt: skip
        self.path = str(path)
        self._files = _files(Path(path))
        self._wanted = (_set(periods), _set(advertisers))
        self._broken: Broken = broken
        self.reports: list[Report] = []
        self._first: list[int] = [0]  # number of the first trajectory of each file that has been read, and of the next
        self._seen: dict[tuple[int, int], str] = {}
        self._held: tuple[int, list[Trajectory]] = (-1, [])

    def at(self, number: int) -> Trajectory | None:
        """Return a trajectory by its number from 0, or ``None`` after the last one; reads files as needed.

        Raises:
            GameFileError: If a file that has to be read is broken, or holds nothing that is wanted.
        """
        while number >= self._first[-1] and len(self._first) <= len(self._files):
            self._read(len(self._first) - 1)
        if number >= self._first[-1]:
            if self._first[-1] == 0:
                raise GameFileError(self.path, "holds none of the wanted periods and advertisers")
            return None
        file = int(np.searchsorted(self._first, number, side="right")) - 1
        return self._read(file)[number - self._first[file]]

    def __iter__(self) -> Iterator[Trajectory]:
        """Yield all trajectories."""
        number = 0
        while (one := self.at(number)) is not None:
            yield one
            number += 1

    def _read(self, file: int) -> list[Trajectory]:
        if self._held[0] != file:
            self._held = (-1, [])  # the last file's rows go before the next ones come
            path = self._files[file]
            found, report = read_csv(path, periods=self._wanted[0], advertisers=self._wanted[1], broken=self._broken)
            if file == len(self._first) - 1:
                self.reports.append(report)
                self._first.append(self._first[-1] + len(found))
                for t in found:
                    other = self._seen.setdefault((t.period, t.advertiser), str(path))
                    if other != str(path):
                        raise GameFileError(
                            str(path), f"period {t.period} of advertiser {t.advertiser} stands in {other} too; "
                            "a trajectory must lie in one file",
                        )  # fmt: skip
            self._held = (file, found)
        return self._held[1]


def read_csv(
    path: str | Path, *, periods: Collection[int] | None = None, advertisers: Collection[int] | None = None,
    broken: Broken = "refuse",
) -> tuple[list[Trajectory], Report]:  # fmt: skip
    """Return the trajectories of a file, ordered by period and advertiser, and the report on its lines.

    Raises:
        GameFileError: If the file cannot be read, is empty, lacks a column, has broken lines that are not to be skipped,
            holds an impression of a step twice, or more lines are wanted than memory allows.
    """
    report, own = Report(str(path)), dict[tuple[int, int], tuple[float, ...]]()
    parts: list[list[Any]] = []
    wanted, kept, good = (_set(periods), _set(advertisers)), 0, 0
    for header, block in _blocks(Path(path)):
        values, fine = _checked(block, header, report, own)
        good += int(fine.sum())
        for column, keys in zip(_KEPT[:2], wanted, strict=True):
            if keys is not None:
                fine &= np.isin(values[column], np.array(sorted(keys), np.float64))
        kept += int(fine.sum())
        if kept > MOST_ROWS:
            raise GameFileError(
                str(path), f"more than {MOST_ROWS:,} lines are wanted at once ({50 * MOST_ROWS // 10**9} GB); "
                "name fewer periods or advertisers, or split the file",
            )  # fmt: skip
        parts.append([_compact(name, values[name][fine]) for name in _KEPT])
    settle(report, broken, good)
    columns = {name: np.concatenate([p[k] for p in parts]) for k, name in enumerate(_KEPT)}
    return _split(str(path), columns, own), report


def _compact(name: str, values: FloatArray) -> Any:
    kinds: dict[str, Any] = {"pValue": np.float32, "timeStepIndex": np.int8, "adSlot": np.int8}
    kinds |= dict.fromkeys(("isExposed", "conversionAction"), np.bool_)
    kinds |= dict.fromkeys(("deliveryPeriodIndex", "advertiserNumber"), np.int32) | {"pvIndex": np.int64}
    return values.astype(kinds.get(name, np.float64))


def _split(path: str, c: dict[str, Any], own: dict[tuple[int, int], tuple[float, ...]]) -> list[Trajectory]:
    """Order rows and cut them into trajectories."""
    order = np.lexsort((c["pvIndex"], c["timeStepIndex"], c["advertiserNumber"], c["deliveryPeriodIndex"]))
    c = {name: values[order] for name, values in c.items()}
    period, agent = c["deliveryPeriodIndex"], c["advertiserNumber"]
    new = np.flatnonzero((np.diff(period) != 0) | (np.diff(agent) != 0)) + 1
    made = []
    for first, last in zip([0, *new.tolist()], [*new.tolist(), period.size], strict=True):
        if first == last:
            continue
        part = {name: values[first:last] for name, values in c.items()}
        key = (int(period[first]), int(agent[first]))
        twice = np.flatnonzero((np.diff(part["pvIndex"]) == 0) & (np.diff(part["timeStepIndex"]) == 0))
        if twice.size:
            raise GameFileError(
                path, f"period {key[0]}, advertiser {key[1]}: impression {int(part['pvIndex'][twice[0]])} of step "
                f"{int(part['timeStepIndex'][twice[0]])} stands there twice",
            )  # fmt: skip
        start = np.searchsorted(part["timeStepIndex"], np.arange(STEPS + 1)).astype(np.int64)
        category, budget, limit = own[key]
        made.append(
            Trajectory(
                period=key[0],
                advertiser=key[1],
                category=int(category),
                budget=budget,
                cpa_limit=limit,
                start=start,
                predicted=part["pValue"],
                sigma=part["pValueSigma"],
                least=part["leastWinningCost"],
                bid=part["bid"],
                slot=part["adSlot"],
                cost=part["cost"],
                exposed=part["isExposed"],
                converted=part["conversionAction"],
            )
        )
    return made


def _checked(
    block: bytes, header: list[str], report: Report, own: dict[tuple[int, int], tuple[float, ...]]
) -> tuple[dict[str, FloatArray], BoolArray]:
    """Return the columns of a block and which of its lines are good; note the broken ones and the new trajectories."""
    frame = _parse(block, len(header))
    values = {
        name: frame[f"c{header.index(name)}"].fill_null(float("nan")).to_numpy().astype(np.float64) for name in FIELDS
    }
    good = np.ones(frame.height, np.bool_)
    failed: list[tuple[str, Any]] = []
    tests = [("field", frame["over"].is_null().to_numpy()), *((name, _accepts(name, values[name])) for name in FIELDS)]
    for name, passed in tests:
        failed.append((name, good & ~passed))
        good &= passed
    odd = _contradictions(values, good, own)
    failed.append(("own", odd))
    good &= ~odd
    if not good.all():
        reasons = np.full(frame.height, "", object)
        for name, rows in failed:
            reasons[rows] = name
        lines = block.split(b"\n")
        for i in np.flatnonzero(~good).tolist():
            report.add(report.lines + i + 2, _reason(reasons[i], lines[i].decode("utf-8", "replace").strip(), header))
    report.lines += frame.height
    return values, good


def _parse(block: bytes, fields: int) -> Any:
    """Return a frame of columns c0 ... float64 (null where no number is) and ``over``, a field too many."""
    import polars as pl

    names = [f"c{k}" for k in range(fields)]
    count = block.count(b"\n") + (not block.endswith(b"\n"))
    for text in (block, b"\n".join(line if line.strip() else b"?" for line in block.split(b"\n")[:count])):
        frame = pl.read_csv(
            io.BytesIO(",".join([*names, "over"]).encode() + b"\n" + text), quote_char=None, infer_schema_length=0,
            schema_overrides={**dict.fromkeys(names, pl.Float64), "over": pl.String}, ignore_errors=True,
            truncate_ragged_lines=True, encoding="utf8-lossy",
        )  # fmt: skip
        if frame.height == count:
            return frame
    raise AssertionError(f"polars made {frame.height} rows of {count} lines")


def _accepts(name: str, v: FloatArray) -> BoolArray:
    """Return which values of a column are allowed."""
    known = np.isfinite(v)
    with np.errstate(invalid="ignore"):
        if name in _FLAGS:
            fits = (v == 0.0) | (v == 1.0)
        elif name in _COUNTS:
            fits = (v >= 0.0) & (v == np.floor(v)) & (v < (2.0**53 if name == "pvIndex" else 2.0**31))
        elif name == "timeStepIndex":
            fits = (v >= 0.0) & (v == np.floor(v)) & (v < STEPS)
        elif name == "adSlot":
            fits = (v >= 0.0) & (v == np.floor(v)) & (v <= SLOTS)
        elif name == "pValue":
            fits = (v >= 0.0) & (v <= 1.0)
        elif name in ("budget", "CPAConstraint"):
            fits = v > 0.0
        else:
            fits = v >= 0.0 if name in _AMOUNTS else known
    return np.asarray(known & fits)


def _reason(name: str, line: str, header: list[str]) -> str:
    cells = line.split(",")
    shown = repr(line[:60])
    if name == "own":
        return (
            f"category, budget or CPAConstraint differs from earlier lines of this period and advertiser; found {shown}"
        )
    if len(cells) != len(header):
        return f"has {len(cells) if line else 0} fields, expected {len(header)}; found {shown}"
    wants = {
        "pValue": "lie in [0, 1]", "budget": "be above 0", "CPAConstraint": "be above 0", "remainingBudget": "be a number",
        "timeStepIndex": f"be a whole number of 0..{STEPS - 1}", "adSlot": f"be a whole number of 0..{SLOTS}",
    }  # fmt: skip
    wants |= dict.fromkeys(_FLAGS, "be 0 or 1") | dict.fromkeys(_COUNTS, "be a whole number of at least 0")
    wants |= dict.fromkeys(_AMOUNTS, "be a number of at least 0")
    return f"{name} must {wants[name]}, got {cells[header.index(name)]!r}"


def _contradictions(
    values: dict[str, FloatArray], good: BoolArray, own: dict[tuple[int, int], tuple[float, ...]]
) -> BoolArray:
    """Return which lines give a trajectory another category, budget or limit than its first line; learn new ones."""
    rows = np.flatnonzero(good)
    table = np.stack([values[name][rows] for name in (*_KEPT[:2], *_OWN)], axis=1)
    # neighbours are mostly alike, so few rows have to be told apart
    change = np.ones(rows.size, np.bool_)
    change[1:] = (np.diff(table, axis=0) != 0.0).any(axis=1)
    run = np.cumsum(change) - 1
    odd = np.zeros(int(change.sum()), np.bool_)
    for k, row in enumerate(table[change].tolist()):
        known = own.setdefault((int(row[0]), int(row[1])), tuple(row[2:]))
        odd[k] = known != tuple(row[2:])
    out = np.zeros(good.size, np.bool_)
    out[rows] = odd[run] if rows.size else False
    return out


def _blocks(file: Path) -> Iterator[tuple[list[str], bytes]]:
    """Yield (header, whole lines) of a file.

    Raises:
        GameFileError: If the file cannot be read, or its header lacks or repeats a column.
    """
    try:
        with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as handle:
            header = [c.strip() for c in handle.readline().decode("utf-8-sig", "replace").split(",")]
            missing = [name for name in FIELDS if header.count(name) != 1]
            if missing:
                raise GameFileError(
                    str(file), f"the header must name each of {missing} once, got {header[:20]}", line=1
                )
            rest = b""
            while text := handle.read(BLOCK_BYTES):
                cut = text.rfind(b"\n") + 1
                if cut:
                    yield header, rest + text[:cut]
                    rest = text[cut:]
                else:
                    rest += text
            if rest:
                yield header, rest
    except (OSError, EOFError, zlib.error) as error:
        raise GameFileError(str(file), f"cannot be read: {error}") from error


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        if not path.is_file():
            raise GameFileError(str(path), "is no file or folder; expected AuctionNet's csv log")
        return [path]
    found = [p for p in path.iterdir() if p.name.endswith((".csv", ".csv.gz"))]
    if not found:
        raise GameFileError(str(path), "holds no *.csv or *.csv.gz")
    return sorted(found, key=lambda p: ([int(n) for n in re.findall(r"\d+", p.name)], p.name))


def _set(keys: Collection[int] | None) -> frozenset[int] | None:
    return None if keys is None else frozenset(keys)
