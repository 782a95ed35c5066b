"""Turns messages into committed rows, exactly once, and accounts for every one."""
