-- Security settings are the organisation's; NULL is the platform's default.
ALTER TABLE organisation
    ADD COLUMN security  jsonb,
    ADD COLUMN closed_at timestamptz,
    ADD COLUMN erased_at timestamptz;

ALTER TABLE staff DROP CONSTRAINT staff_status_check;
ALTER TABLE staff
    ADD CONSTRAINT staff_status_check CHECK (status IN ('invited', 'active', 'suspended', 'deleted')),
    ADD COLUMN extension           text,
    ADD COLUMN portal              boolean NOT NULL DEFAULT true,   -- without it they never get in
    ADD COLUMN locked_at           timestamptz,
    ADD COLUMN locked_until        timestamptz,                     -- NULL while locked: until somebody unlocks it
    ADD COLUMN password_changed_at timestamptz,
    ADD COLUMN suspended_at        timestamptz,
    ADD COLUMN deleted_at          timestamptz,
    ADD COLUMN erased_at           timestamptz,
    ADD COLUMN weblink             text UNIQUE,                     -- 128 random bits: says nothing of whom it leads to
    ADD COLUMN availability        text NOT NULL DEFAULT 'offline',
    -- What authz told last of where they are placed; shown in the list, decided by nobody here.
    ADD COLUMN role_names          text[] NOT NULL DEFAULT '{}',
    ADD COLUMN team_name           text,
    ADD COLUMN placed_revision     bigint NOT NULL DEFAULT 0;
UPDATE staff SET password_changed_at = created_at WHERE password_hash IS NOT NULL;
CREATE UNIQUE INDEX one_extension ON staff (org, extension) WHERE extension IS NOT NULL AND status <> 'deleted';

-- Usernames that ever were somebody's. Rows are only ever added, so a name is given to one person and to nobody after;
-- as digests, because they outlive the personal data of those who were deleted.
CREATE TABLE staff_name (
    org    uuid NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (org, digest)
);
INSERT INTO staff_name SELECT org, sha256(convert_to(org::text || '/' || username_key, 'UTF8')) FROM staff;

ALTER TABLE link DROP CONSTRAINT link_purpose_check;
ALTER TABLE link ADD CONSTRAINT link_purpose_check CHECK (purpose IN ('confirm', 'activate', 'reset', 'email'));

-- Not only logins: whatever is begun and has to be finished by a factor.
ALTER TABLE login
    ADD COLUMN purpose text NOT NULL DEFAULT 'login' CHECK (purpose IN ('login', 'step_up', 'mobile')),
    ADD COLUMN session uuid,    -- that is stepped up
    ADD COLUMN device  bytea,   -- digest of the known device that it was begun on
    ADD COLUMN sealed  text;    -- what is to hold once it is finished

ALTER TABLE session
    ADD COLUMN authenticated_at timestamptz,
    ADD COLUMN device uuid;
UPDATE session SET authenticated_at = created_at;
ALTER TABLE session ALTER COLUMN authenticated_at SET NOT NULL;

-- A device that somebody logged in on with both factors. Strangers' guesses do not hold up whoever comes from it.
CREATE TABLE device (
    org        uuid NOT NULL,
    id         uuid PRIMARY KEY,
    staff      uuid NOT NULL REFERENCES staff (id),
    digest     bytea NOT NULL UNIQUE,
    agent      text NOT NULL,
    ip         text NOT NULL,
    failures   integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    used_at    timestamptz NOT NULL
);
CREATE INDEX device_staff ON device (org, staff);

-- Passwords that a person had, where the organisation forbids to use them again.
CREATE TABLE former_password (
    org        uuid NOT NULL,
    staff      uuid NOT NULL REFERENCES staff (id),
    hash       text NOT NULL,
    replaced_at timestamptz NOT NULL,
    PRIMARY KEY (org, staff, replaced_at)
);

-- The audit log: one chain an organisation. `hash` is the SHA-256 of the one before, the number and the body, so whoever
-- changes, drops or reorders an entry breaks it. The service's role can neither change nor delete one.
CREATE TABLE audit_head (
    org    uuid PRIMARY KEY,
    number bigint NOT NULL,
    hash   bytea NOT NULL
);
CREATE TABLE audit (
    org    uuid NOT NULL,
    number bigint NOT NULL,
    body   text NOT NULL,
    hash   bytea NOT NULL,
    event  text GENERATED ALWAYS AS ((body::jsonb) ->> 'event') STORED,
    at     text GENERATED ALWAYS AS ((body::jsonb) ->> 'at') STORED,      -- RFC 3339 in UTC with microseconds: sorts as text
    actor  text GENERATED ALWAYS AS ((body::jsonb) ->> 'actor') STORED,
    target text GENERATED ALWAYS AS ((body::jsonb) ->> 'target') STORED,
    PRIMARY KEY (org, number)
);
CREATE INDEX audit_target ON audit (org, target, number DESC);
CREATE INDEX audit_actor ON audit (org, actor, number DESC);
INSERT INTO audit_head SELECT org, 0, '' FROM organisation;
-- What was tried in the name of an organisation that does not exist is nobody's, and is kept for the operator.
INSERT INTO audit_head VALUES ('00000000-0000-0000-0000-000000000000', 0, '');

DO $$
DECLARE tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['staff_name', 'device', 'former_password', 'audit_head', 'audit'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format(
            'CREATE POLICY wall ON %I USING (org::text = current_setting(''app.org'', true)'
            ' OR current_setting(''app.org'', true) = ''anywhere'')', tenant_table);
    END LOOP;
END $$;

GRANT SELECT, INSERT ON staff_name, audit TO :app;
GRANT SELECT, INSERT, UPDATE ON audit_head TO :app;
GRANT SELECT, INSERT, UPDATE, DELETE ON device, former_password TO :app;
