"""What the three services share: lifecycle, settings, log, HTTP, database, bus. Knows nothing of any service."""
