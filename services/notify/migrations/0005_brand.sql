-- How an organisation's e-mails look. Without a row they look like the suite's own.
CREATE TABLE brand (
    org       uuid PRIMARY KEY,
    name      text NOT NULL DEFAULT '',
    colour    text NOT NULL DEFAULT '' CHECK (colour ~ '^(#[0-9a-f]{6})?$'),
    reply_to  text NOT NULL DEFAULT '',
    locale    text NOT NULL DEFAULT 'en',
    logo      bytea CHECK (length(logo) <= 65536),
    logo_type text CHECK (logo_type IN ('png', 'jpeg')),
    version   bigint NOT NULL DEFAULT 0,         -- for the ETag
    CHECK ((logo IS NULL) = (logo_type IS NULL))
);

ALTER TABLE brand ENABLE ROW LEVEL SECURITY;
CREATE POLICY org_wall ON brand
    USING (org::text = current_setting('app.org', true) OR current_setting('app.org', true) = 'anywhere');

GRANT SELECT, INSERT, UPDATE ON brand TO :app;
