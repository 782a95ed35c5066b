"""REST API and web pages; holds no rules of its own."""
