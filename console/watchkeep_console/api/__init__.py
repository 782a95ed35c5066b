"""REST API, login and technician pages, health: one ASGI app that may run in many workers."""
