"""Replay of recorded series through the field side of a gateway, with their original stamps."""
