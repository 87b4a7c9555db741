"""Others that answer the same questions, and what asks them: where each is got from, and how it is started."""
