"""Directed acyclic graphs over agents: ``dag[j, i]`` is true when j is a parent of i."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from equilibria.sim.errors import InvalidValue, did_you_mean
from equilibria.sim.types import BoolArray, FloatArray

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


def subteams(scores: FloatArray, edges: int) -> BoolArray:
    """Return a graph that is complete inside groups of agents and empty between them.

    Starts with single agents and keeps joining the two groups with the largest mean score between their members,
    as long as a positive score is left and the graph has at most ``edges`` edges.  Edges run from smaller to
    larger numbers.

    Args:
        scores: [n, n] symmetric dependence of agents, for example the adjacency of an interference graph.
        edges: Largest number of edges.

    Source: the dynamic heuristic of Correlated Policy Optimization in Multi-Agent Subteams (ICLR 2026).

    Example:
        >>> subteams(np.ones((3, 3)), 1).astype(int).tolist()
        [[0, 1, 0], [0, 0, 0], [0, 0, 0]]
    """
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not np.isfinite(table).all() or edges < 0:
        raise InvalidValue(f"scores must be a finite square matrix and edges >= 0, got {table.shape} and {edges!r}")
    groups = [[i] for i in range(len(table))]
    while True:
        joins = []
        for a in range(len(groups)):
            for b in range(a + 1, len(groups)):
                rest = sum(_pairs(len(g)) for k, g in enumerate(groups) if k not in (a, b))
                score = float(table[np.ix_(groups[a], groups[b])].mean())
                if score > 0 and rest + _pairs(len(groups[a]) + len(groups[b])) <= edges:
                    joins.append((-score, a, b))
        if not joins:
            break
        _, a, b = min(joins)
        groups[a] = sorted(groups[a] + groups.pop(b))
    dag = np.zeros(table.shape, dtype=np.bool_)
    for group in groups:
        for place, j in enumerate(group):
            dag[j, group[place + 1 :]] = True
    return dag


def _pairs(members: int) -> int:
    return members * (members - 1) // 2


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
