"""Where readings are kept: three back-ends behind one interface, their rollups, retention, status and read side."""
