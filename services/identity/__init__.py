"""identity lets an organisation's people in: organisations, staff accounts, factors, sessions."""
