"""Trained models of equipment: what they are, how they are fitted, kept in the database and trained at night."""
