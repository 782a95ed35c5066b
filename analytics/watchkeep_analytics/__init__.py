"""Turns readings into warnings that explain themselves."""
