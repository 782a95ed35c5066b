"""Grafana as code and the read-only views behind it."""
