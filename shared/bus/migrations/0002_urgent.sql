-- What somebody waits for, or what a promise of a second hangs on, goes before what has queued up already: an import
-- leaves ten thousand events at once.
ALTER TABLE outbox ADD COLUMN urgent boolean NOT NULL DEFAULT false;
DROP INDEX outbox_unpublished;
CREATE INDEX outbox_unpublished ON outbox (urgent DESC, id) WHERE published_at IS NULL;
