"""Reading runs: statistics over seeds, thinned curves, comparisons, plots and pages.

Nothing here feeds back into a simulation; it reads run directories and makes text, numbers, SVG and HTML.
"""
