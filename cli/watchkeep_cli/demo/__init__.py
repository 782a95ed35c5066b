"""`watchkeep demo`: the whole system on one machine, with simulated equipment that fails."""
