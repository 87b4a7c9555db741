-- What each revision of the last hour announced, for replicas that could not hear it: `people` is null where it was
-- everybody. Every change writes here, so there is one index, and no reference: the row that it would be held against has
-- been raised by the same statement.
CREATE TABLE recent_change (
    org      uuid NOT NULL,
    revision bigint NOT NULL,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    people   uuid[],
    types    text[] NOT NULL,
    PRIMARY KEY (org, revision)
);

ALTER TABLE recent_change ENABLE ROW LEVEL SECURITY;
CREATE POLICY wall ON recent_change USING (
    org::text = current_setting('app.org', true) OR current_setting('app.org', true) = 'anywhere');

GRANT SELECT, INSERT, DELETE ON recent_change TO :app;
