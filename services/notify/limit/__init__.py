"""Whether a message may be sent at all."""
