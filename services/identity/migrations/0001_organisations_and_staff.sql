-- Every table with an `org` is a tenant's; the wall below holds a transaction to the organisation that it was begun for.

CREATE TABLE organisation (
    org        uuid PRIMARY KEY,
    name       text NOT NULL,
    number     text NOT NULL,
    username   text,
    version    bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL
);

-- What can be typed before the backslash. Rows are only ever added: the service's role may neither change nor delete
-- one, so a name is selected once, never changed, and never given to anybody else. Not a tenant's table: at login the
-- name is all there is.
CREATE TABLE organisation_name (
    key  text PRIMARY KEY,   -- NFKC, case folded
    org  uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('number', 'username')),
    UNIQUE (org, kind)
);

CREATE TABLE staff (
    org                   uuid NOT NULL REFERENCES organisation (org),
    id                    uuid PRIMARY KEY,
    type                  text NOT NULL CHECK (type IN ('owner', 'administrator', 'standard')),
    status                text NOT NULL CHECK (status IN ('invited', 'active', 'suspended')),
    username              text NOT NULL,
    username_key          text NOT NULL,
    name                  text NOT NULL,
    email                 text NOT NULL,
    email_confirmed_at    timestamptz,
    mobile                text,
    mobile_confirmed_at   timestamptz,
    default_level         text NOT NULL,
    route_anywhere        boolean NOT NULL,
    password_hash         text,
    totp_sealed           text,            -- to identity's own key; counts only once it was confirmed
    totp_confirmed_at     timestamptz,
    totp_last_step        bigint NOT NULL DEFAULT 0,
    activation_sent_at    timestamptz,
    activation_sent_count integer NOT NULL DEFAULT 0,
    version               bigint NOT NULL DEFAULT 1,
    created_at            timestamptz NOT NULL,
    UNIQUE (org, username_key)
);
CREATE UNIQUE INDEX one_owner ON staff (org) WHERE type = 'owner';

CREATE TABLE link (
    org           uuid NOT NULL,
    id            uuid PRIMARY KEY,
    staff         uuid NOT NULL REFERENCES staff (id),
    purpose       text NOT NULL CHECK (purpose IN ('confirm', 'activate')),
    digest        bytea NOT NULL UNIQUE,   -- SHA-256 of a 256-bit secret
    email         text NOT NULL,           -- as it was when the link was issued: another address kills the link
    expires_at    timestamptz NOT NULL,
    used_at       timestamptz,
    superseded_at timestamptz,
    created_at    timestamptz NOT NULL
);
CREATE INDEX link_staff ON link (org, staff);

CREATE TABLE login (
    org         uuid NOT NULL,
    id          uuid PRIMARY KEY,
    staff       uuid NOT NULL REFERENCES staff (id),
    digest      bytea NOT NULL UNIQUE,
    attempts    integer NOT NULL DEFAULT 0,
    expires_at  timestamptz NOT NULL,
    finished_at timestamptz,
    created_at  timestamptz NOT NULL
);

CREATE TABLE code (
    org        uuid NOT NULL,
    id         uuid PRIMARY KEY,
    login      uuid NOT NULL REFERENCES login (id),
    staff      uuid NOT NULL REFERENCES staff (id),
    channel    text NOT NULL CHECK (channel IN ('email', 'sms')),
    digest     bytea NOT NULL,             -- HMAC with a key that is not in the database: six digits are soon guessed
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX code_login ON code (org, login, created_at DESC);
CREATE INDEX code_staff ON code (org, staff, created_at DESC);

CREATE TABLE session (
    org        uuid NOT NULL,
    id         uuid PRIMARY KEY,
    staff      uuid NOT NULL REFERENCES staff (id),
    amr        text[] NOT NULL,
    acr        text NOT NULL,
    ip         text NOT NULL,
    agent      text NOT NULL,
    created_at timestamptz NOT NULL,
    used_at    timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz,
    end_reason text
);
CREATE INDEX session_staff ON session (org, staff) WHERE ended_at IS NULL;
CREATE INDEX session_ended ON session (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE refresh_token (
    org        uuid NOT NULL,
    digest     bytea PRIMARY KEY,
    session    uuid NOT NULL REFERENCES session (id),
    created_at timestamptz NOT NULL,
    used_at    timestamptz
);

DO $$
DECLARE tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['organisation', 'staff', 'link', 'login', 'code', 'session', 'refresh_token'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format(
            'CREATE POLICY wall ON %I USING (org::text = current_setting(''app.org'', true)'
            ' OR current_setting(''app.org'', true) = ''anywhere'')', tenant_table);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE ON organisation, staff, link, login, code, session, refresh_token TO :app;
GRANT SELECT, INSERT ON organisation_name TO :app;
