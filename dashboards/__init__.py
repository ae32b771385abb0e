"""Dashboards: pages that read run directories."""
