"""The frame of a self-contained page: style, header, sections, tables of keys."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from equilibria.sim.analysis.svg import STYLE
from equilibria.sim.analysis.ticks import short

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_PAGE_STYLE = (
    "*{box-sizing:border-box}body{margin:0;background:var(--ground);color:var(--ink);"
    "font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}"
    "main{max-width:1160px;margin:0 auto;padding:28px 20px 48px}"
    "h1{font-size:1.7rem;line-height:1.2;margin:0 0 .3rem;overflow-wrap:anywhere}h2{font-size:1.15rem;margin:2.2rem 0 .7rem}"
    "p{margin:.35rem 0;overflow-wrap:anywhere}.soft{color:var(--soft);font-size:.92rem}"
    ".pill{display:inline-block;padding:.05rem .65rem;border-radius:1rem;font-size:.85rem;font-weight:600;"
    "border:1px solid currentColor}.complete{color:var(--green)}.failed,.broken{color:var(--vermilion)}"
    ".running,.interrupted,.unknown{color:var(--gold)}"
    ".certificate{border-left:4px solid var(--accent);background:var(--panel);padding:.8rem 1rem;margin:1.1rem 0;"
    "font-size:1.06rem;border-radius:0 6px 6px 0;overflow-wrap:anywhere}"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(170px,1fr));gap:12px;margin:1rem 0}"
    ".tile{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:.6rem .8rem;min-width:0}"
    ".tile b{display:block;font-size:1.35rem;line-height:1.3;font-variant-numeric:tabular-nums}"
    ".tile span{color:var(--soft);font-size:.85rem;overflow-wrap:anywhere}"
    ".charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,440px),1fr));gap:16px}"
    ".charts>figure{margin:0;border:1px solid var(--line);border-radius:8px;padding:10px 10px 6px;min-width:0}"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.93rem}"
    "th,td{text-align:left;padding:.35rem .7rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top}"
    "th{color:var(--soft);font-weight:600}td.n,th.n{text-align:right}td.n{font-variant-numeric:tabular-nums;white-space:nowrap}"
    "td.key{white-space:nowrap;color:var(--soft)}td.any{overflow-wrap:anywhere}"
    "pre{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:.8rem 1rem;overflow-x:auto;"
    "font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;margin:.4rem 0}"
    "summary{cursor:pointer;font-weight:600}summary:focus-visible{outline:2px solid var(--accent)}"
    "footer{margin-top:2.5rem;color:var(--soft);font-size:.85rem}"
    "@media(max-width:520px){td.n{white-space:normal}table{font-size:.86rem}main{padding:18px 14px 36px}h1{font-size:1.35rem}.tiles{grid-template-columns:1fr 1fr}"
    ".tile b{font-size:1.1rem}}@media print{pre{white-space:pre-wrap}.charts>figure{break-inside:avoid}}"
)


def page(title: str, body: Iterable[str]) -> str:
    """Put sections into a page; ``title`` is escaped, ``body`` must be."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)} · Equilibria</title><style>{STYLE}{_PAGE_STYLE}</style></head><body><main>\n"
        + "\n".join(part for part in body if part)
        + "\n<footer>Made by Equilibria: no equilibrium without a certificate.</footer></main></body></html>\n"
    )


def section(title: str, content: str) -> str:
    """Return a section with a heading, nothing for empty content."""
    return f"<section><h2>{escape(title)}</h2>{content}</section>" if content else ""


def header(name: str, state: str, subtitle: str) -> str:
    """Return the head of a page: name, state, one line."""
    css = state if state in ("complete", "failed", "running", "interrupted") else "unknown"
    return (
        f'<header><h1>{escape(name)}</h1><p><span class="pill {css}">{escape(state)}</span> '
        f'<span class="soft">{escape(subtitle)}</span></p></header>'
    )


def certificate(sentence: str) -> str:
    """Return the certificate as the page shows it."""
    return f'<div class="certificate">{escape(sentence)}</div>'


def key_table(rows: Sequence[tuple[str, Any]]) -> str:
    """Return a table of names and JSON values, nothing for no rows."""
    if not rows:
        return ""
    cells = "".join(
        f'<tr><td class="key">{escape(str(k))}</td><td class="any">{escape(_text(v))}</td></tr>' for k, v in rows
    )
    return f'<div class="scroll"><table>{cells}</table></div>'


def _text(value: Any) -> str:
    if isinstance(value, float):
        return short(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
