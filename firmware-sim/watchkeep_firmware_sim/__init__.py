"""Fleets of simulated devices with known faults; replay of recorded data."""
