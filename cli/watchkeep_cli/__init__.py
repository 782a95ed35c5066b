"""The `watchkeep` command and the local supervisor; wiring only."""
