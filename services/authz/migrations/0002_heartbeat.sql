-- When an organisation has changed last, by the clock of this server: heartbeats list those that have of late.
ALTER TABLE organisation_revision ADD changed_at timestamptz NOT NULL DEFAULT clock_timestamp();
-- BRIN, and room on each page: every change updates its organisation's row, and with any other index on the column each
-- update would leave a dead entry in all indexes of the table, to be walked over at every read of the revision.
CREATE INDEX organisation_revision_changed_at ON organisation_revision USING brin (changed_at) WITH (pages_per_range = 8);
ALTER TABLE organisation_revision SET (fillfactor = 50);
