-- Answers that are given again to whoever repeats a request under its Idempotency-Key.
CREATE TABLE reply (
    org      uuid NOT NULL,
    caller   text NOT NULL,
    key      text NOT NULL,
    digest   bytea NOT NULL,   -- SHA-256 of the request
    began_at timestamptz NOT NULL,
    sealed   text,             -- NULL while it is being worked on
    PRIMARY KEY (org, caller, key)
);
CREATE INDEX reply_began ON reply (began_at);
ALTER TABLE reply ENABLE ROW LEVEL SECURITY;
CREATE POLICY wall ON reply USING (org::text = current_setting('app.org', true)
    OR current_setting('app.org', true) = 'anywhere');
GRANT SELECT, INSERT, UPDATE, DELETE ON reply TO :app;
