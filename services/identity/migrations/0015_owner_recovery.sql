-- An operator has been asked to let in an owner who has lost everything: one an organisation, until it is carried out at
-- `due_at`, or stopped. Who was told, and what came of it, is in the audit log.
CREATE TABLE owner_recovery (
    org      uuid PRIMARY KEY,
    staff    uuid NOT NULL REFERENCES staff (id),
    email    text NOT NULL,                -- where the link is to go
    reason   text NOT NULL,
    operator text NOT NULL,
    asked_at timestamptz NOT NULL,
    due_at   timestamptz NOT NULL
);
CREATE INDEX owner_recovery_due ON owner_recovery (due_at);
ALTER TABLE owner_recovery ENABLE ROW LEVEL SECURITY;
CREATE POLICY wall ON owner_recovery USING (
    org::text = current_setting('app.org', true) OR current_setting('app.org', true) = 'anywhere');
GRANT SELECT, INSERT, DELETE ON owner_recovery TO :app;
