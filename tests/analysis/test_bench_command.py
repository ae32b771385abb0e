"""``equilibria bench``: finding benchmarks, running them, judging their targets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from equilibria.sim import benchmarking

Cli = Callable[..., tuple[int, str, str]]

GOOD = '''"""Speed of a toy. More words."""
from equilibria.benchmarks.common import Row

def rows(*, quick=False):
    yield Row(case="fast", ours=1.0, peer=200.0, peer_name="tortoise 1.0", unit="us/step", ratio=200.0, target=100.0)
    yield Row(case="slow", ours=5.0 if quick else 9.0, unit="us/step", target=4.0, note="a note")
'''


@pytest.fixture(name="folder")
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "toybenchmarks"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "helper.py").write_text("x = 1\n")
    (folder / "toy.py").write_text(GOOD)
    (folder / "lonely.py").write_text(
        '"""Needs a peer."""\nimport no_such_peer\n\ndef rows(*, quick=False):\n    yield\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(benchmarking, "PACKAGE", "toybenchmarks")
    return folder


def test_listing_reads_docstrings_and_imports_nothing(folder: Path, cli: Cli) -> None:
    (folder / "broken.py").write_text("def rows(: syntax")
    assert benchmarking.available() == {"lonely": "Needs a peer", "toy": "Speed of a toy. More words"}
    code, out, _ = cli("bench")
    assert code == 0
    assert "toy" in out
    assert json.loads(cli("bench", "--json")[1])[1] == {"name": "toy", "summary": "Speed of a toy. More words"}


def test_rows_come_with_ratio_target_and_judgement(folder: Path, cli: Cli) -> None:
    code, out, _ = cli("bench", "toy", "--json", "--quick")
    fast, slow = json.loads(out)
    assert code == 0
    assert (fast["case"], fast["ratio"], fast["met"], fast["peer_name"]) == ("fast", 200.0, True, "tortoise 1.0")
    assert (slow["ours"], slow["met"]) == (5.0, False)
    _, text, err = cli("bench", "toy")
    assert "200x" in text
    assert "NO" in text
    assert "slow: a note" in text
    assert "toy: fast" in err


def test_a_missing_peer_is_named_and_does_not_stop_the_others(folder: Path, cli: Cli) -> None:
    code, out, err = cli("bench", "lonely")
    assert (code, out) == (2, "")
    assert "benchmark 'lonely' compares with no_such_peer, which is not installed: pip install no_such_peer" in err
    assert "Traceback" not in err
    code, out, err = cli("bench", "all", "--json")
    assert code == 0
    assert len(json.loads(out)) == 2
    assert "no_such_peer" in err


def test_an_unknown_benchmark_gets_a_suggestion(folder: Path, cli: Cli) -> None:
    code, _, err = cli("bench", "toys")
    assert code == 2
    assert "did you mean 'toy'" in err


@pytest.mark.parametrize(
    ("row", "met"),
    [
        ({"target": None, "ratio": 5.0, "ours": 1.0, "unit": "s"}, None),
        ({"target": 60.0, "ratio": 61.0, "ours": 1.0, "unit": "s"}, True),
        ({"target": 60.0, "ratio": 59.0, "ours": 1.0, "unit": "s"}, False),
        ({"target": 20.0, "ratio": None, "ours": 19.0, "unit": "us/call"}, True),
        ({"target": 5e6, "ratio": None, "ours": 4e6, "unit": "rows/s"}, False),
        ({"target": 5e6, "ratio": None, "ours": 6e6, "unit": "rows/s"}, True),
    ],
)
def test_targets_are_least_ratios_least_rates_or_greatest_times(row: dict[str, object], met: bool | None) -> None:
    assert benchmarking.target_met(row) is met
