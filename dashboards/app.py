"""The program that Streamlit runs: ``streamlit run app.py -- RUNS``; see ``server.py``."""

from __future__ import annotations

import sys

from equilibria.dashboards.frame import parse, run_application

run_application(parse(sys.argv[1:]))
