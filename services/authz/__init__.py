"""authz decides what each member of staff may do: people, items, grants, decisions, each at a revision."""
