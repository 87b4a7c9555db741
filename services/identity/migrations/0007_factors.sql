-- A new authenticator app takes the place of the present one only when a code confirms it: until then it rests here.
ALTER TABLE staff ADD COLUMN totp_next text;
UPDATE staff SET totp_next = totp_sealed, totp_sealed = NULL WHERE totp_confirmed_at IS NULL;

-- When a factor was tried last. What counts is how many tries came to nothing, over all logins, since one succeeded.
ALTER TABLE login ADD COLUMN tried_at timestamptz;
UPDATE login SET tried_at = created_at WHERE attempts > 0;
CREATE INDEX login_tried ON login (org, staff, tried_at) WHERE tried_at IS NOT NULL AND finished_at IS NULL;
CREATE INDEX login_finished ON login (org, staff, finished_at) WHERE finished_at IS NOT NULL;

-- Passkeys (WebAuthn). A credential is one person's, in one organisation: the constraint holds across all of them.
CREATE TABLE passkey (
    org         uuid NOT NULL,
    id          uuid PRIMARY KEY,
    staff       uuid NOT NULL REFERENCES staff (id),
    credential  bytea NOT NULL UNIQUE,
    public_key  bytea NOT NULL,            -- COSE
    sign_count  bigint NOT NULL,
    synced      boolean NOT NULL,          -- may be copied to other devices of its person: never changes (WebAuthn 7.2)
    transports  text[] NOT NULL,
    name        text NOT NULL,
    created_at  timestamptz NOT NULL,
    used_at     timestamptz
);
CREATE INDEX passkey_staff ON passkey (org, staff);

-- What an authenticator has to sign, once: for a session that registers a passkey, for a login or step-up that it is the
-- second factor of, or for a login that it is the whole of (then no organisation is known yet).
CREATE TABLE challenge (
    org        uuid NOT NULL,
    about      bytea NOT NULL,             -- the session's id, the login's id, or the digest of a handle
    challenge  bytea NOT NULL,             -- 256 random bits
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (org, about)
);
CREATE INDEX challenge_expiry ON challenge (org, expires_at);

CREATE TABLE recovery_code (
    org     uuid NOT NULL,
    staff   uuid NOT NULL REFERENCES staff (id),
    digest  bytea NOT NULL,                -- HMAC with a key that is not in the database
    made_at timestamptz NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (org, staff, digest)
);

DO $$
DECLARE tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['passkey', 'challenge', 'recovery_code'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format(
            'CREATE POLICY wall ON %I USING (org::text = current_setting(''app.org'', true)'
            ' OR current_setting(''app.org'', true) = ''anywhere'')', tenant_table);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON passkey, challenge, recovery_code TO :app;
