"""Use cases: plan messages about what has happened, and bring each due message to one end."""
