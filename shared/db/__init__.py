"""PostgreSQL: the pool, transactions that know their organisation, and migrations in plain SQL."""

from shared.db.migrate import migrate
from shared.db.pool import Database, Tx

__all__ = ["Database", "Tx", "migrate"]
