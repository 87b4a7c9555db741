-- Whom a message went to, as far as that is kept: what a bounce needs to name the address, and nobody can read it from.
ALTER TABLE delivery
    ADD COLUMN address bytea,            -- HMAC under the address key, written before a provider gets the message
    ADD COLUMN masked  text,             -- j***@acme.example, for those who administer the organisation
    ADD COLUMN contact text NOT NULL DEFAULT '';  -- what identity calls that address; told again with what became of it
CREATE INDEX delivery_settled ON delivery (org, channel, address, settled_at) WHERE settled_at IS NOT NULL;

-- Addresses that nothing is sent to any more.
CREATE TABLE suppression (
    org      uuid NOT NULL,
    id       uuid PRIMARY KEY,
    channel  text NOT NULL CHECK (channel IN ('email', 'sms')),
    address  bytea NOT NULL,             -- as in delivery
    masked   text NOT NULL,
    reason   text NOT NULL CHECK (reason IN ('bounced', 'complained', 'added')),
    staff    uuid,                       -- to whom the message was that showed it
    added_by uuid,                       -- NULL: a provider told
    added_at timestamptz NOT NULL,
    UNIQUE (org, channel, address),
    CHECK ((reason = 'added') = (added_by IS NOT NULL))
);
CREATE INDEX suppression_newest ON suppression (org, id DESC);

ALTER TABLE suppression ENABLE ROW LEVEL SECURITY;
CREATE POLICY org_wall ON suppression
    USING (org::text = current_setting('app.org', true) OR current_setting('app.org', true) = 'anywhere');
GRANT SELECT, INSERT, DELETE ON suppression TO :app;

-- What a provider told of a message whose reference is not written down yet. Whose it is nobody knows until then.
CREATE TABLE early_receipt (
    id        uuid PRIMARY KEY,
    provider  text NOT NULL,
    reference text NOT NULL,
    state     text NOT NULL,
    reason    text,
    permanent boolean NOT NULL,
    answer    text NOT NULL,
    told_at   timestamptz NOT NULL,
    UNIQUE (provider, reference, state)
);
CREATE INDEX early_receipt_told ON early_receipt (told_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON early_receipt TO :app;
