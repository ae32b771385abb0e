"""Directed acyclic graphs over agents: ``dag[j, i]`` is true when j is a parent of i."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from equilibria.sim.errors import InvalidValue, did_you_mean
from equilibria.sim.types import BoolArray

NAMES = ("empty", "full", "line", "line_published")


def dag_matrix(spec: str | Sequence[Sequence[int]] | BoolArray, agents: int) -> BoolArray:
    """Return the adjacency [n, n] of a named or given graph.

    Args:
        spec: ``"empty"`` (independent agents), ``"full"`` (j is a parent of all i > j: any joint distribution),
            ``"line"`` (i is the parent of i + 1), ``"line_published"`` (the same without the last edge, as in
            the authors' code), or a matrix of zeros and ones.
        agents: n >= 1.

    Raises:
        InvalidValue: If the name is unknown, or the matrix has a wrong shape, other entries or a cycle.

    Example:
        >>> dag_matrix("line", 3).astype(int).tolist()
        [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    """
    if isinstance(spec, str):
        return _named(spec, agents)
    rows = [list(row) for row in spec]
    if len(rows) != agents or any(len(row) != agents for row in rows):
        raise InvalidValue(f"dag must be a {agents} x {agents} matrix, got rows of {[len(row) for row in rows]}")
    matrix = np.array(rows)
    if not np.isin(matrix, (0, 1)).all():
        raise InvalidValue("dag must hold zeros and ones")
    dag = matrix.astype(np.bool_)
    topological_order(dag)
    return dag


def topological_order(dag: BoolArray) -> list[int]:
    """Return the agents, parents first; ties go to the smaller number.

    Raises:
        InvalidValue: If there is a cycle; the message names one.
    """
    waiting = dag.sum(axis=0)
    order: list[int] = []
    while len(order) < len(dag):
        ready = [i for i in range(len(dag)) if waiting[i] == 0 and i not in order]
        if not ready:
            raise InvalidValue(f"dag has the cycle {_cycle(dag, order)}; a child must not be its own ancestor")
        order.append(ready[0])
        waiting = waiting - dag[ready[0]]
    return order


def _named(name: str, agents: int) -> BoolArray:
    if name not in NAMES:
        raise InvalidValue(f"unknown dag {name!r}; {did_you_mean(name, NAMES, 'dag')}")
    dag = np.zeros((agents, agents), dtype=np.bool_)
    if name == "full":
        dag[np.triu_indices(agents, 1)] = True
    elif name != "empty":
        edges = np.arange(max(0, agents - (1 if name == "line" else 2)))
        dag[edges, edges + 1] = True
    return dag


def _cycle(dag: BoolArray, done: Sequence[int]) -> str:
    """Walk from child to parent among the agents that cannot be ordered until one comes twice."""
    left = [i for i in range(len(dag)) if i not in done]
    path = [left[0]]
    while True:
        parent = next(j for j in left if dag[j, path[-1]])
        if parent in path:
            cycle = [parent, *reversed(path[path.index(parent) :])]
            return " -> ".join(str(i) for i in cycle)
        path.append(parent)
