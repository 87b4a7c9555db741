"""Who takes messages for us: which there are, which of them are well, and who is asked for this message."""
