-- What was let through, counted. Keys are HMACs under the address key: of a number, of a number's first digits, of an address,
-- a person, where a request came from. Whose they are, and of which organisation, can't be told from them.
CREATE TABLE counted (
    key bytea NOT NULL,
    at  timestamptz NOT NULL
);
CREATE INDEX counted_key ON counted (key, at);
CREATE INDEX counted_at ON counted USING brin (at);
GRANT SELECT, INSERT, UPDATE, DELETE ON counted TO :app;  -- UPDATE: to lock what is about to go

-- Of a day what would be too many rows to count. Spent is what it may have cost at most, in millionths.
CREATE TABLE usage_day (
    org      uuid NOT NULL,
    day      date NOT NULL,
    channel  text NOT NULL,
    family   text NOT NULL,              -- codes, links and notices each by themselves
    part     smallint NOT NULL,          -- several rows, so that ten thousand invitations don't wait for one another
    messages integer NOT NULL,
    spent    bigint NOT NULL,
    PRIMARY KEY (org, day, channel, family, part)
);
ALTER TABLE usage_day ENABLE ROW LEVEL SECURITY;
CREATE POLICY org_wall ON usage_day
    USING (org::text = current_setting('app.org', true) OR current_setting('app.org', true) = 'anywhere');
GRANT SELECT, INSERT, UPDATE, DELETE ON usage_day TO :app;

CREATE TABLE suite_day (
    day   date PRIMARY KEY,
    spent bigint NOT NULL                -- by all organisations
);
GRANT SELECT, INSERT, UPDATE, DELETE ON suite_day TO :app;

-- Codes by SMS, and whether they were used. Which of the two is heard of first is left to chance, so either makes the row.
CREATE TABLE sent_code (
    delivery uuid PRIMARY KEY,
    org      uuid NOT NULL,
    at       timestamptz NOT NULL,       -- sent, or used where that came first
    number   bytea,
    prefix   bytea,
    source   bytea,
    proven   boolean,                    -- the number had used a code before: nothing is to be learnt from it
    used_at  timestamptz
);
CREATE INDEX sent_code_prefix ON sent_code (prefix, at) WHERE NOT proven;
CREATE INDEX sent_code_source ON sent_code (source, at) WHERE NOT proven;
CREATE INDEX sent_code_org ON sent_code (org, at) WHERE NOT proven;
CREATE INDEX sent_code_at ON sent_code USING brin (at);
ALTER TABLE sent_code ENABLE ROW LEVEL SECURITY;
CREATE POLICY org_wall ON sent_code
    USING (org::text = current_setting('app.org', true) OR current_setting('app.org', true) = 'anywhere');
GRANT SELECT, INSERT, UPDATE, DELETE ON sent_code TO :app;

-- Numbers that somebody reads: a code that was sent there was used.
CREATE TABLE proven_number (
    number  bytea PRIMARY KEY,
    used_at timestamptz NOT NULL
);
CREATE INDEX proven_number_used ON proven_number (used_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON proven_number TO :app;

-- What nothing is sent to for a while, or nothing is spent for, and has been raised as an alarm.
CREATE TABLE blocked (
    key   bytea PRIMARY KEY,
    kind  text NOT NULL,                 -- prefix, organisation, source; budget, suite_budget
    since timestamptz NOT NULL,
    until timestamptz NOT NULL
);
CREATE INDEX blocked_until ON blocked (until);
GRANT SELECT, INSERT, UPDATE, DELETE ON blocked TO :app;

-- Where an organisation's SMS go. Without a row: where the suite's do.
CREATE TABLE sending_policy (
    org        uuid PRIMARY KEY,
    countries  text[],                   -- NULL: as the suite
    version    bigint NOT NULL DEFAULT 0,
    changed_by uuid,
    changed_at timestamptz
);
ALTER TABLE sending_policy ENABLE ROW LEVEL SECURITY;
CREATE POLICY org_wall ON sending_policy
    USING (org::text = current_setting('app.org', true) OR current_setting('app.org', true) = 'anywhere');
GRANT SELECT, INSERT, UPDATE ON sending_policy TO :app;
