"""Measurements against a running suite, each printed as a table."""
