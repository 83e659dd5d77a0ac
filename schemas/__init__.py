"""The contracts: what travels on the topics, defined once, as pydantic models."""
