"""Folders of make-ipinyou-data: features to click probabilities, prices of raw logs.

A folder per advertiser holds ``{train,test}.yzx.txt`` (``click price i:1 i:1 ...``) and
``{train,test}.log.txt`` (tab-separated with a header; click in column 0, price paid in column 23).
The feature files suffice: ``load_ipinyou`` fits the click model of ``ctr`` on the training part and
predicts both.

Format: W. Zhang's formatter make-ipinyou-data; Zhang, Yuan, Wang, Shen (2014), arXiv 1407.7073.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from equilibria.games.auctions.rtb import ctr
from equilibria.games.auctions.rtb.logs import PRICE_COLUMN, Broken, Report, lines_of, settle
from equilibria.games.auctions.rtb.requests import Requests
from equilibria.games.auctions.rtb.rules import MAX_PRICE
from equilibria.sim.errors import GameFileError

MAX_INDEX = 2**31 - 2


def load_ipinyou(folder: str | Path, campaign: str = "", *, broken: Broken = "refuse") -> tuple[Requests, Requests]:
    """Return (train, test) of a campaign with click probabilities by logistic regression.

    Args:
        folder: The folder of all campaigns, or that of one.
        campaign: Name of its folder, empty if ``folder`` is it.
        broken: ``"refuse"`` or ``"skip"`` broken lines; both report them.

    Raises:
        GameFileError: If a file is missing, empty or broken.
    """
    where = Path(folder) / campaign if campaign else Path(folder)
    train, test = (read_yzx(where / f"{phase}.yzx.txt", broken=broken)[0] for phase in ("train", "test"))
    model = ctr.fit(train)
    return _stream(train, model), _stream(test, model)


def _stream(features: ctr.Features, model: ctr.ClickModel) -> Requests:
    return Requests(model.predict(features), features.price, features.click, features.click.astype(np.float64))


def read_yzx(path: str | Path, *, broken: Broken = "refuse") -> tuple[ctr.Features, Report]:
    """Return the features of a ``*.yzx.txt`` file and the report on its lines.

    Raises:
        GameFileError: If it cannot be read, is empty, or has broken lines that are not to be skipped.
    """
    report = Report(str(path))
    parts = [_features(lines, report) for lines in lines_of(Path(path))]
    settle(report, broken, sum(p[0].size for p in parts))
    click, price, counts, index = (np.concatenate([p[k] for p in parts]) for k in range(4))
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return ctr.Features(click, price, start, index), report


def _features(lines: list[str], report: Report) -> tuple[Any, Any, Any, Any]:
    """Return clicks, prices, feature counts and feature numbers of the good lines of a block."""
    import polars as pl

    fields = pl.DataFrame({"line": lines}).select(pl.col("line").str.split(" ").alias("f")).with_row_index("row")
    head = fields.select(
        pl.col("f").list.get(0, null_on_oob=True).cast(pl.Int64, strict=False).alias("click"),
        pl.col("f").list.get(1, null_on_oob=True).cast(pl.Int64, strict=False).alias("price"),
    )
    click, price = (head[c].fill_null(-1).to_numpy() for c in ("click", "price"))
    items = fields.select("row", pl.col("f").list.slice(2).alias("f")).explode("f").drop_nulls()
    number = items["f"].str.extract(r"^(\d{1,10}):1$").cast(pl.Int64, strict=False).fill_null(-1)
    row, index = items["row"].to_numpy().astype(np.int64), number.to_numpy()
    wrong = np.zeros(len(lines), np.bool_)
    wrong[row[(index < 0) | (index > MAX_INDEX)]] = True
    good = ((click == 0) | (click == 1)) & (price >= 0) & ~wrong
    first = report.lines + 1
    for i in np.flatnonzero(~good).tolist():
        if click[i] not in (0, 1):
            reason = "the first field must be the click, 0 or 1"
        elif price[i] < 0:
            reason = "the second field must be the price, a whole number of at least 0"
        else:
            reason = "features must be written as index:1"
        report.add(first + i, f"{reason}; found {lines[i][:60]!r}")
    report.lines += len(lines)
    report.clipped += int((price[good] > MAX_PRICE).sum())
    kept = good[row]
    counts = np.bincount(row[kept], minlength=len(lines))[good]
    prices = np.minimum(price[good], MAX_PRICE).astype(np.uint16)
    return click[good].astype(np.uint8), prices, counts, index[kept].astype(np.int32)


def read_prices(path: str | Path, *, broken: Broken = "refuse") -> tuple[np.ndarray, np.ndarray, Report]:
    """Return clicks uint8 [n], prices uint16 [n] and the report of a raw ``*.log.txt`` file.

    Raises:
        GameFileError: If it cannot be read, is empty, has no header, or has broken lines that are not to be skipped.
    """
    report = Report(str(path), lines=0)
    clicks, prices = [], []
    for number, line in _numbered(Path(path)):
        cells = line.split("\t")
        if number == 1:
            if len(cells) <= PRICE_COLUMN or cells[PRICE_COLUMN] != "payprice":
                raise GameFileError(
                    str(path),
                    f"the header must name column {PRICE_COLUMN} (from 0) payprice, got {line[:60]!r}",
                    line=1,
                )
            continue
        report.lines += 1
        text = (cells[0], cells[PRICE_COLUMN]) if len(cells) > PRICE_COLUMN else ("", "")
        if text[0] not in ("0", "1") or not text[1].isdigit():
            report.add(number, f"click must be 0 or 1 and payprice a whole number, got {text[0]!r} and {text[1]!r}")
            continue
        clicks.append(int(text[0]))
        prices.append(min(int(text[1]), MAX_PRICE))
        report.clipped += int(text[1]) > MAX_PRICE
    settle(report, broken, len(clicks))
    return np.array(clicks, np.uint8), np.array(prices, np.uint16), report


def _numbered(path: Path) -> Iterator[tuple[int, str]]:
    number = 0
    for lines in lines_of(path):
        for line in lines:
            number += 1
            yield number, line
