"""``equilibria compare``: what may be claimed, and what may not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

Cli = Callable[..., tuple[int, str, str]]
NOISE = (0.00, 0.02, -0.01, 0.03, 0.01, -0.02, 0.015, 0.005)


def finals(level: float, pairs: int = 8, spread: float = 1.0) -> list[float]:
    return [level + spread * NOISE[i] for i in range(pairs)]


def test_one_pair_cannot_show_a_difference(make_run: Any, cli: Cli) -> None:
    a, b = make_run("a", [1.0, 0.2], agent="dcfr"), make_run("b", [1.0, 0.4], agent="cfr")
    code, out, _ = cli("compare", a.path, b.path)
    assert code == 0
    assert "one pair cannot show a difference (A 0.2, B 0.4 game payoff)" in out
    assert "the scenarios differ in agents.0.use (dcfr / cfr)" in out
    assert "lower than" not in out


def test_a_clear_difference_over_eight_seeds_is_claimed(make_sweep: Any, cli: Cli) -> None:
    a = make_sweep("a", {"dcfr": [v + 0.001 * i for i, v in enumerate(finals(0.2))]})
    b = make_sweep("b", {"cfr": finals(0.4)})
    code, out, _ = cli("compare", a.path, b.path)
    assert code == 0
    assert "exploitability: A (dcfr) is lower than B (cfr) by 0.1965 game payoff [" in out
    assert "n = 8, exact p = 0.0078" in out
    assert "better, as lower is better" in out


def test_five_seeds_never_suffice_for_a_claim(make_sweep: Any, cli: Cli) -> None:
    a, b = make_sweep("a", {"dcfr": finals(0.2, 5, 1.1)}), make_sweep("b", {"cfr": finals(0.4, 5)})
    _, out, _ = cli("compare", a.path, b.path)
    assert "but 5 pairs cannot reach p <= 0.05 (exact p = 0.062); use at least 6 seeds" in out


def test_no_evidence_is_said_in_words(make_sweep: Any, cli: Cli) -> None:
    values = finals(0.4)
    a, b = make_sweep("a", {"dcfr": values}), make_sweep("b", {"cfr": values[1:] + values[:1]})
    _, out, _ = cli("compare", a.path, b.path)
    assert "no evidence of a difference between A (dcfr) and B (cfr) (n = 8, interval [" in out
    assert "contains 0" in out


def test_sides_that_no_seed_changes_are_compared_as_facts(make_sweep: Any, cli: Cli) -> None:
    a, b = make_sweep("a", {"dcfr": [0.2, 0.2]}), make_sweep("b", {"cfr": [0.4, 0.4]})
    _, out, _ = cli("compare", a.path, b.path)
    assert "the same in all 2 pairs: neither side depends on the seed" in out
    groups = cli("compare", make_sweep("s", {"cfr": [0.4, 0.4], "dcfr": [0.2, 0.2], "mmd": [0.3, 0.3]}).path)[1]
    assert "Holm" not in groups
    assert "○ agents.0.use=dcfr" in groups
    assert "equal in all 2 pairs" in cli("compare", a.path, a.path)[1]


def test_groups_of_one_sweep_are_paired_by_seed_and_adjusted(make_sweep: Any, cli: Cli) -> None:
    sweep = make_sweep("s", {"cfr": finals(0.4), "dcfr": finals(0.2, 8, 1.2), "cfr_plus": finals(0.1, 8, 0.7)})
    code, out, _ = cli("compare", sweep.path, "--json")
    report = json.loads(out)
    assert code == 0
    assert [c["b"] for c in report["comparisons"]] == ["agents.0.use=cfr"] * 2
    assert [c["verdict"] for c in report["comparisons"]] == ["lower", "lower"]
    assert [c["paired"]["p_value"] for c in report["comparisons"]] == [2 / 256] * 2
    assert [c["p_adjusted"] for c in report["comparisons"]] == [4 / 256] * 2
    assert "Holm" in report["notes"][0]
    other = json.loads(cli("compare", sweep.path, "--by", "agents.0.use", "--baseline", "dcfr", "--json")[1])
    assert {c["b"] for c in other["comparisons"]} == {"agents.0.use=dcfr"}


def test_several_comparisons_need_more_seeds(make_sweep: Any, cli: Cli) -> None:
    groups = {
        "cfr": finals(0.4, 6),
        "dcfr": finals(0.2, 6, 1.2),
        "mmd": finals(0.1, 6, 0.7),
        "psro": finals(0.3, 6, 2.0),
    }
    _, out, _ = cli("compare", make_sweep("s", groups).path)
    assert "6 pairs cannot reach p <= 0.05 in 3 comparisons (exact p = 0.094); use at least 7 seeds" in out
    assert "no evidence" not in out


def test_copies_of_a_deterministic_setting_are_no_evidence(make_sweep: Any, cli: Cli) -> None:
    sweep = make_sweep("s", {"cfr": [0.4] * 5, "dcfr": [0.2] * 5}, games=("kuhn", "leduc"))
    _, out, _ = cli("compare", sweep.path, "--by", "agents.0.use", "--json")
    report = json.loads(out)
    assert report["comparisons"][0]["paired"]["pairs"] == 2
    assert report["comparisons"][0]["repeats"] == 8
    assert report["comparisons"][0]["verdict"] == "too few pairs"
    assert "count once" in report["notes"][0]


def test_the_result_does_not_change_between_calls(make_sweep: Any, cli: Cli) -> None:
    a, b = make_sweep("a", {"dcfr": finals(0.39)}), make_sweep("b", {"cfr": finals(0.4, 8, -1.0)})
    assert cli("compare", a.path, b.path, "--json") == cli("compare", a.path, b.path, "--json")


def test_missing_partners_are_left_out_and_counted(make_sweep: Any, cli: Cli) -> None:
    a, b = make_sweep("a", {"dcfr": finals(0.2, 7, 1.1)}), make_sweep("b", {"cfr": finals(0.4, 8)})
    report = json.loads(cli("compare", a.path, b.path, "--json")[1])
    assert report["comparisons"][0]["paired"]["pairs"] == 7
    assert report["comparisons"][0]["left_out"] == 1


def test_different_games_budgets_and_seeds_are_named(make_run: Any, cli: Cli) -> None:
    a = make_run("a", [1.0, 0.2], game="kuhn_poker", seed=1)
    b = make_run("b", [1.0, 0.4, 0.3], game="leduc_poker", seed=2)
    _, out, _ = cli("compare", a.path, b.path)
    assert "the games differ: A openspiel(name=kuhn_poker), B openspiel(name=leduc_poker)" in out
    assert "--at 10 compares both at one unit" in out
    assert "the seeds differ: A 1, B 2; such runs are not paired" in out
    report = json.loads(cli("compare", a.path, b.path, "--at", "10", "--json")[1])
    assert report["comparisons"][0]["paired"]["b"] == 0.4


def test_runs_say_when_one_reaches_the_other(make_run: Any, cli: Cli) -> None:
    a, b = make_run("a", [1.0, 0.3, 0.1]), make_run("b", [1.0, 0.6, 0.5], agent="dcfr")
    _, out, _ = cli("compare", a.path, b.path)
    assert "A reaches B's final exploitability (0.5) at iteration 10" in out
    assert "B reaches A's" not in out


def test_keyed_metrics_are_compared_by_their_mean(make_run: Any, cli: Cli) -> None:
    a = make_run("a", [1.0, 0.2], gains={"0": [1.0, 0.1], "1": [1.0, 0.3]})
    b = make_run("b", [1.0, 0.4], gains={"0": [1.0, 0.5], "1": [1.0, 0.7]})
    report = json.loads(cli("compare", a.path, b.path, "--metric", "gains", "--json")[1])
    assert report["comparisons"][0]["paired"]["a"] == pytest.approx(0.2)
    assert report["other_metrics"] == ["exploitability"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{a}"], "name a second run"),
        (["{a}", "{b}", "--by", "x"], "leave out B"),
        (["{a}", "{b}", "--metric", "nothing"], "unknown recorded metric"),
        (["{s}", "--by", "game"], "'game' does not vary; choose the groups with --by KEY"),
        (["{s}", "--baseline", "x"], "no group 'agents.0.use=x'"),
        (["{e}", "{s}"], "no complete run to compare"),
        (["{s}", "{t}"], "share no group of overrides"),
    ],
)
def test_questions_without_an_answer_get_a_named_error(
    make_run: Any, make_sweep: Any, cli: Cli, arguments: list[str], words: str
) -> None:
    paths = {
        "a": make_run("a").path,
        "b": make_run("b").path,
        "s": make_sweep("s", {"cfr": [0.1], "dcfr": [0.2]}).path,
        "t": make_sweep("t", {"mmd": [0.1], "psro": [0.2]}).path,
        "e": make_sweep("e", {}, missing=2).path,
    }
    code, out, err = cli("compare", *(a.format(**paths) for a in arguments))
    assert code == 2
    assert out == ""
    assert words in err
