"""The HTTP face: requests, answers, routes."""
