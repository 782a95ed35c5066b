"""Reads field devices, keeps every reading on disk until the database has it."""
