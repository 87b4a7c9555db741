"""The ways to reach somebody. Each is a port's width from the rest."""
