"""The published language: HTTP types and events of every service. Imports msgspec and the standard library only."""
