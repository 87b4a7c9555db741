"""The story of Jane, played over HTTP against a running suite."""
