-- When an organisation has changed last, by the clock of this server: heartbeats list those that have of late.
ALTER TABLE organisation_revision ADD changed_at timestamptz NOT NULL DEFAULT clock_timestamp();
CREATE INDEX organisation_revision_changed_at ON organisation_revision (changed_at);
