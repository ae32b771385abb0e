"""Synthetic campaigns keep their calibration; logs are read with errors by line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from equilibria.games.auctions.rtb import ctr
from equilibria.games.auctions.rtb.calibration import CAMPAIGNS, HEADLINE, calibration
from equilibria.games.auctions.rtb.ipinyou import load_ipinyou, read_prices, read_yzx
from equilibria.games.auctions.rtb.logs import load_pair, load_theta
from equilibria.games.auctions.rtb.synthetic import Source
from equilibria.sim.errors import GameFileError, InvalidValue, UnknownName
from equilibria.sim.seeds import SeedTree

TREE = SeedTree(2)
# Mean market price of the training days, arXiv 1701.02490, table 1.
CPM = {"1458": 68.89, "2259": 93.06, "2261": 89.60, "2821": 89.28, "2997": 63.02, "3358": 92.38, "3386": 76.92,
       "3427": 81.06, "3476": 79.22}  # fmt: skip


@pytest.mark.parametrize("campaign", CAMPAIGNS)
def test_prices_and_rates_are_those_of_the_campaign(campaign: str) -> None:
    c = calibration(campaign)
    assert c.prices.sum() == pytest.approx(1.0)
    assert float(c.prices @ np.arange(301)) == pytest.approx(CPM[campaign], abs=0.15)
    assert (c.fit_loss < 10.0) == (campaign in HEADLINE)
    train = Source(campaign, "burst", TREE).train(60_000)
    # Quantiles at evenly spread ranks: the batch mean is the mean of the distribution.
    assert train.price.mean() == pytest.approx(CPM[campaign], abs=0.3)
    assert 0.3 < train.theta.mean() / c.train_ctr < 3.0


def test_stationary_traffic_meets_both_click_rates() -> None:
    c = calibration("2997")
    source = Source("2997", "stationary", TREE)
    train, test = source.train(200_000), source.test(200_000)
    assert train.theta.mean() == pytest.approx(c.train_ctr, rel=0.01)
    assert test.truth.mean() == pytest.approx(c.test_ctr, rel=0.02)
    assert test.click.mean() == pytest.approx(c.test_ctr, rel=0.15)


def test_bursts_move_prices_and_hot_shares_over_blocks() -> None:
    def spread(mode: str) -> float:
        r = Source("2997", mode, TREE).test(100_000)  # type: ignore[arg-type]
        return float(r.price.reshape(-1, 1000).mean(axis=1).std())

    assert spread("burst") > 4 * spread("stationary")


def test_drift_shifts_the_test_phase() -> None:
    drift, burst = Source("1458", "drift", TREE), Source("1458", "burst", TREE)
    np.testing.assert_array_equal(drift.train(5000).theta, burst.train(5000).theta)
    assert drift.test(5000).theta.mean() < burst.test(5000).theta.mean()
    assert drift.test(5000).price.mean() > burst.test(5000).price.mean()  # gamma below 1 lifts prices


def test_traffic_follows_from_the_seed_and_the_batch_number() -> None:
    a, b = Source("3358", "burst", TREE), Source("3358", "burst", TREE)
    b.test(1000, 1)
    np.testing.assert_array_equal(a.test(1000, 3).theta, b.test(1000, 3).theta)
    assert not np.array_equal(a.test(1000, 3).theta, a.test(1000, 4).theta)
    assert not np.array_equal(a.test(1000).theta, Source("3358", "burst", SeedTree(3)).test(1000).theta)


def test_calibrated_predictions_are_the_truth_and_uniform_is_uniform() -> None:
    r = Source("1458", "burst", TREE, calibrated=True).test(2000)
    np.testing.assert_array_equal(r.theta, r.truth)
    u = Source("uniform", "stationary", TREE).test(100_000)
    assert u.theta.mean() == pytest.approx(0.5, abs=0.005)
    assert (u.price.min(), u.price.max()) == (1, 300)
    with pytest.raises(UnknownName, match="campaign '1'"):
        calibration("1")


GOOD = "0 20 0.001\n1 300 0.5\n0 0 1\n"


def test_theta_files_of_all_endings_hold_the_same_requests(tmp_path: Path) -> None:
    (tmp_path / "a.theta.txt").write_text(GOOD)
    frame = pl.DataFrame({"click": [0, 1, 0], "price": [20, 300, 0], "theta": [0.001, 0.5, 1.0]})
    frame.write_csv(tmp_path / "a.csv")
    frame.write_parquet(tmp_path / "a.parquet")
    text, _ = load_theta(tmp_path / "a.theta.txt")
    assert text.price.tolist() == [20, 300, 0]
    for name in ("a.csv", "a.parquet"):
        other, report = load_theta(tmp_path / name)
        np.testing.assert_array_equal(other.theta, text.theta)
        np.testing.assert_array_equal(other.click, text.click)
        assert (report.lines, report.broken) == (3, 0)


@pytest.mark.slow
def test_one_broken_line_of_ten_million_is_named_and_counted(tmp_path: Path) -> None:
    file, block = tmp_path / "big.theta.txt", "".join(f"{i % 2} {i % 300} 0.{i:05d}\n" for i in range(100_000))
    with file.open("w") as handle:
        for k in range(100):
            handle.write(block if k != 73 else block.replace("0 50 0.01250\n", "0 fifty 0.01250\n"))
    with pytest.raises(GameFileError, match=r"1 of 10000000 lines are broken") as caught:
        load_theta(file)
    assert caught.value.line == 7_301_251
    requests, report = load_theta(file, broken="skip")
    assert (requests.count, report.lines, report.broken) == (9_999_999, 10_000_000, 1)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("2 20 0.1", r"line 4: click must be 0 or 1, got '2'"),
        ("0 -1 0.1", "line 4: price must be a whole number"),
        ("0 1.5 0.1", "line 4: price must be a whole number"),
        ("0 20 1.1", r"line 4: theta must lie in \[0, 1\]"),
        ("0 20 nan", "line 4: theta must lie"),
        ("0 20", "line 4: has 2 fields"),
        ("", "line 4: has 1 fields"),
        ("x y z", "line 4: click must be 0 or 1"),
    ],
)
def test_broken_lines_are_named_or_skipped_and_counted(
    tmp_path: Path, line: str, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "train.theta.txt"
    file.write_text(GOOD + line + "\n" + GOOD)
    with pytest.raises(GameFileError, match=says) as caught:
        load_theta(file)
    assert caught.value.line == 4
    requests, report = load_theta(file, broken="skip")
    assert (requests.count, report.lines, report.broken) == (6, 7, 1)
    assert "1 of 7 lines are broken" in caplog.text


def test_high_prices_are_clipped_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "t.theta.txt"
    file.write_text("0 301 0.1\n1 9999 0.1\n0 4 0.1\n")
    requests, report = load_theta(file)
    assert requests.price.tolist() == [300, 300, 4]
    assert report.clipped == 2
    assert "2 prices above 300" in caplog.text


def test_missing_and_empty_files_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(GameFileError, match="no file of the train phase"):
        load_pair(tmp_path)
    (tmp_path / "train.theta.txt").write_text("")
    with pytest.raises(GameFileError, match="is empty"):
        load_pair(tmp_path)
    with pytest.raises(GameFileError, match="cannot be read"):
        load_theta(tmp_path / "absent.theta.txt")
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(GameFileError, match="has no column"):
        load_theta(tmp_path / "x.csv")
    (tmp_path / "x.parquet").write_text("nothing")
    with pytest.raises(GameFileError, match="cannot be read"):
        load_theta(tmp_path / "x.parquet")


def write_features(path: Path, n: int, seed: int) -> np.ndarray:
    """Write a feature file whose clicks follow features 1 (often) and 2 (seldom); return the clicks."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(1, 3, n)
    click = rng.random(n) < np.where(kind == 1, 0.5, 0.05)
    price = rng.integers(1, 301, n)
    lines = [f"{int(c)} {p} 0:1 {k}:1 {rng.integers(3, 50)}:1" for c, p, k in zip(click, price, kind, strict=True)]
    path.write_text("\n".join(lines) + "\n")
    return click


def test_click_model_of_feature_files_ranks_and_is_calibrated(tmp_path: Path) -> None:
    folder = tmp_path / "2997"
    folder.mkdir()
    write_features(folder / "train.yzx.txt", 20_000, 1)
    click = write_features(folder / "test.yzx.txt", 5_000, 2)
    train, test = load_ipinyou(tmp_path, "2997")
    assert (train.count, test.count) == (20_000, 5_000)
    np.testing.assert_array_equal(test.click, click)
    # The best ranking separates two groups with rates 0.5 and 0.05: AUC = 0.5 + (0.909 - 0.345) / 2.
    assert ctr.auc(test.theta, test.click) == pytest.approx(0.78, abs=0.03)
    curve = ctr.calibration_curve(test.theta, test.click, bins=2)
    np.testing.assert_allclose(curve[:, 0], curve[:, 1], atol=0.05)
    assert load_pair(folder)[0].count == 20_000


def test_auc_counts_ties_half() -> None:
    assert ctr.auc(np.array([0.1, 0.2, 0.2, 0.3]), np.array([0, 0, 1, 1], np.uint8)) == pytest.approx(3.5 / 4)
    with pytest.raises(InvalidValue, match="AUC needs clicks"):
        ctr.auc(np.array([0.1]), np.array([0], np.uint8))


def test_broken_feature_lines_are_named_with_their_number(tmp_path: Path) -> None:
    file = tmp_path / "train.yzx.txt"
    file.write_text("0 20 0:1 5:1\n1 30 0:1 x:1\n3 20 0:1\n0 a 0:1\n0 7\n")
    with pytest.raises(GameFileError, match=r"3 of 5 lines are broken \(line 2: features must be written") as caught:
        read_yzx(file)
    assert caught.value.line == 2
    features, report = read_yzx(file, broken="skip")
    assert report.broken == 3
    assert features.click.tolist() == [0, 0]
    assert np.diff(features.start).tolist() == [2, 0]
    assert features.index.tolist() == [0, 5]


def test_raw_logs_give_clicks_and_prices_paid(tmp_path: Path) -> None:
    header = ["click", *(f"c{k}" for k in range(1, 23)), "payprice", "keypage"]
    row = ["1", *(["null"] * 22), "77", "x"]
    file = tmp_path / "train.log.txt"
    file.write_text("\t".join(header) + "\n" + "\t".join(row) + "\n0\tshort\n")
    with pytest.raises(GameFileError, match="line 3: click must be 0 or 1"):
        read_prices(file)
    clicks, prices, report = read_prices(file, broken="skip")
    assert (clicks.tolist(), prices.tolist(), report.broken) == ([1], [77], 1)
    file.write_text("a\tb\n")
    with pytest.raises(GameFileError, match="the header must name column 23"):
        read_prices(file)
