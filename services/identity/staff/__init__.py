"""Staff accounts, from added to erased."""
