"""A message that was promised, from the event that brings it to what became of it."""
