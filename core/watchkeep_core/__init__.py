"""What the parts of Watchkeep agree on: words, messages, topics, schema, settings, clock and errors."""
