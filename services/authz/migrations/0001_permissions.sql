-- Every table with an `org` is a tenant's; the wall below holds a transaction to the organisation that it was begun for.

-- One row an organisation, locked first by every change to anything below: the order of commits is the order of revisions.
CREATE TABLE organisation_revision (
    org      uuid PRIMARY KEY,
    revision bigint NOT NULL
);

-- What identity told of a person; the newest version wins, in whatever order they come.
CREATE TABLE subject (
    org            uuid NOT NULL REFERENCES organisation_revision (org),
    staff          uuid NOT NULL,
    type           text NOT NULL CHECK (type IN ('owner', 'administrator', 'standard')),
    status         text NOT NULL CHECK (status IN ('invited', 'active', 'suspended')),
    default_level  text NOT NULL CHECK (default_level IN ('deny', 'read', 'use', 'full')),
    route_anywhere boolean NOT NULL,
    version        bigint NOT NULL,
    PRIMARY KEY (org, staff)
);

-- Whose a person is. Rows are only ever added. Not a tenant's table: a product service serves every organisation and
-- asks about a person by id alone, so here the id is all there is.
CREATE TABLE subject_organisation (
    staff uuid PRIMARY KEY,
    org   uuid NOT NULL
);

CREATE TABLE item (
    org     uuid NOT NULL REFERENCES organisation_revision (org),
    type    text NOT NULL,
    id      text NOT NULL,
    section text NOT NULL,
    label   text NOT NULL,
    PRIMARY KEY (org, type, id)
);

-- `feature` and `item` are empty where the target is not narrowed by one, so that a target is there once a person.
CREATE TABLE permission_grant (
    org     uuid NOT NULL,
    id      uuid PRIMARY KEY,
    staff   uuid NOT NULL,
    section text NOT NULL,
    feature text NOT NULL,
    item    text NOT NULL,
    level   text NOT NULL CHECK (level IN ('deny', 'read', 'use', 'full')),
    UNIQUE (org, staff, section, feature, item),
    FOREIGN KEY (org, staff) REFERENCES subject (org, staff)
);

DO $$
DECLARE tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['organisation_revision', 'subject', 'item', 'permission_grant'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format(
            'CREATE POLICY wall ON %I USING (org::text = current_setting(''app.org'', true)'
            ' OR current_setting(''app.org'', true) = ''anywhere'')', tenant_table);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE ON organisation_revision, subject, item TO :app;
GRANT SELECT, INSERT, UPDATE, DELETE ON permission_grant TO :app;
GRANT SELECT, INSERT ON subject_organisation TO :app;
