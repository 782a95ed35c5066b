"""Telling organisations: texts, the outbox written with the case, the job that hands over, the channels."""
