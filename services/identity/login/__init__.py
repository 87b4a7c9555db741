"""Who is let in, and who is held up."""
