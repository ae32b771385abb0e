"""The reader: values, positions, limits, and nothing but ``ScenarioError`` for any bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from equilibria.sim.errors import ScenarioError
from equilibria.sim.scenario.plan import plan_from_bytes
from equilibria.sim.scenario.reader import compose
from equilibria.sim.scenario.source import read_text

GOOD = b"""\
version: 1
name: toy
game: {use: toy_walk, params: {walkers: 3, place: {shape: ring}}}
agents: [{use: toy_learner, params: &p {rate: 0.5}}]
metrics:
  - {use: toy_mean, every: 2}
run: {budget: 20, seed: 7}
sweep:
  grid:
    run.budget: [10, 20]
"""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("-7", -7), ("+3", 3), ("010", 10), ("0o17", 15), ("0x1F", 31), ("1_000", "1_000"),
        ("1e-3", 0.001), ("1.", 1.0), (".5", 0.5), ("-1.5E+2", -150.0), ("1:30", "1:30"),
        ("true", True), ("False", False), ("yes", "yes"), ("no", "no"), ("on", "on"),
        ("null", None), ("~", None), ("'1'", "1"), ('"true"', "true"), ("!!str 5", "5"), ("!!int 5", 5),
        ("!!float 5", 5.0), ("! 5", "5"), ("!!int '5'", 5), ("!!null ''", None), ("'2026-01-31'", "2026-01-31"),
        ("=", "="), ("[1, [2, {a: b}]]", [1, [2, {"a": "b"}]]), ("{}", {}), ("|\n  x\n  y\n", "x\ny\n"),
        (">\n  x\n  y\n", "x y\n"), ("'é ü'", "é ü"),
    ],
)  # fmt: skip
def test_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    root, problems = compose(f"a: {text}", "x")
    assert problems == []
    assert root.plain() == {"a": value}
    assert type(root.value["a"].plain()) is type(value)


def test_aliases_are_shared_values() -> None:
    root, problems = compose("a: &x {k: [1, 2]}\nb: *x\nc: [*x, *x]\n", "x")
    assert problems == []
    assert root.plain() == {"a": {"k": [1, 2]}, "b": {"k": [1, 2]}, "c": [{"k": [1, 2]}] * 2}
    assert root.value["b"].place == ("x", 1, 4)


def test_positions_count_from_one_in_characters() -> None:
    root, _ = compose("é: [a,\n  {b: c}]\n", "x")
    assert root.keys["é"] == ("x", 1, 1)
    assert root.value["é"].value[1].keys["b"] == ("x", 2, 4)
    assert root.value["é"].value[1].value["b"].place == ("x", 2, 7)


def test_depth_64_is_allowed_and_65_is_not() -> None:
    compose("[" * 63 + "1" + "]" * 63, "x")
    with pytest.raises(ScenarioError, match="nested deeper than 64"):
        compose("[" * 64 + "1" + "]" * 64, "x")


def test_aliases_count_towards_the_depth() -> None:
    lines = ["a0: &a0 [1]"] + [f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 80)]
    with pytest.raises(ScenarioError, match="nested deeper than 64"):
        compose("\n".join(lines), "x")


def test_a_file_wrong_throughout_reports_the_first_hundred() -> None:
    text = "version: 1\n" + "a: 1\n" * 2000
    with pytest.raises(ScenarioError) as caught:
        plan_from_bytes(text.encode(), "x")
    assert len(caught.value.problems) == 101
    assert "more mistakes from here on" in caught.value.problems[-1].message


def _only_scenario_errors(data: bytes) -> None:
    try:
        plan_from_bytes(data, "x")
    except ScenarioError as error:
        assert error.problems and all(p.message for p in error.problems)


@given(st.binary(max_size=200))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_random_bytes_give_scenario_errors_only(data: bytes) -> None:
    _only_scenario_errors(data)


_PIECES = st.sampled_from(
    ["a", "b: ", "- ", "? ", ": ", "[", "]", "{", "}", ",", "&a ", "*a", "!!", "!a ", "|", ">", "'", '"', "#", "%", "\n",
     "  ", "\t", "---\n", "...\n", "1", ".inf", "\\", "@", "é", "\u2028", "<<", "version: 1\n", "%YAML 1.2\n", "\ufeff"]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=40))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_random_yaml_pieces_give_scenario_errors_only(pieces: list[str]) -> None:
    _only_scenario_errors("".join(pieces).encode())


@given(st.data())
@settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_mutations_of_a_good_file_give_plans_or_scenario_errors(toys: Path, data: st.DataObject) -> None:
    text = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        end = at + data.draw(st.integers(0, 6))
        text[at:end] = data.draw(
            st.one_of(st.binary(max_size=3), st.sampled_from([b"[", b"}", b": ", b"\n", b"-1", b"*p"]))
        )
    _only_scenario_errors(bytes(text))


def test_bytes_beyond_the_limit_are_refused_without_a_file() -> None:
    with pytest.raises(ScenarioError, match="more than 1000000 bytes"):
        read_text(b" " * 1_000_001, "x")
