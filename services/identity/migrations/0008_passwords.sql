-- Links that somebody asked for who is not known yet are counted apart: a stranger who asks again and again does not use
-- up what administrators may send.
ALTER TABLE link ADD COLUMN asked boolean NOT NULL DEFAULT false;

-- Who said to have forgotten a password: written down as it was typed, found out about afterwards, so that the answer says
-- nothing of who there is. Not a tenant's table: the name is all there is. `typed` is emptied when it has been looked at.
CREATE TABLE reset_request (
    id       uuid PRIMARY KEY,
    typed    text,
    network  text NOT NULL,   -- the address's prefix
    ip       text NOT NULL,
    agent    text NOT NULL,
    asked_at timestamptz NOT NULL
);
CREATE INDEX reset_request_waiting ON reset_request (id) WHERE typed IS NOT NULL;
CREATE INDEX reset_request_network ON reset_request (network, asked_at);
CREATE INDEX reset_request_asked ON reset_request (asked_at);

-- Wrong present passwords, typed by somebody who is signed in.
CREATE TABLE password_failure (
    org       uuid NOT NULL,
    staff     uuid NOT NULL REFERENCES staff (id),
    failed_at timestamptz NOT NULL
);
CREATE INDEX password_failure_staff ON password_failure (org, staff, failed_at);
ALTER TABLE password_failure ENABLE ROW LEVEL SECURITY;
CREATE POLICY wall ON password_failure USING (
    org::text = current_setting('app.org', true) OR current_setting('app.org', true) = 'anywhere');

GRANT SELECT, INSERT, UPDATE, DELETE ON reset_request TO :app;
GRANT SELECT, INSERT, DELETE ON password_failure TO :app;
