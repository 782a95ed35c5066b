"""Turns warnings and complaints into cases by the responsibility list, runs their clocks, scores the result."""
