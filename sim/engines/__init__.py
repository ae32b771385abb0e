"""Engines that host games for the kernel."""
