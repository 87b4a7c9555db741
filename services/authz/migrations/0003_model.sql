-- The rest of the permission model: contracts, tenants, teams, roles, groups, links, and what was changed by whom.

-- What an organisation subscribed to, and the products that it carries.
CREATE TABLE contract (
    org      uuid NOT NULL REFERENCES organisation_revision (org),
    key      text NOT NULL,
    label    text NOT NULL,
    products text[] NOT NULL,
    PRIMARY KEY (org, key)
);

-- A client workspace. Owner and administrators are members of each without a row.
CREATE TABLE tenant (
    org   uuid NOT NULL REFERENCES organisation_revision (org),
    key   text NOT NULL,
    label text NOT NULL,
    PRIMARY KEY (org, key)
);

CREATE TABLE tenant_member (
    org    uuid NOT NULL,
    tenant text NOT NULL,
    staff  uuid NOT NULL,
    PRIMARY KEY (org, tenant, staff),
    FOREIGN KEY (org, tenant) REFERENCES tenant (org, key) ON DELETE CASCADE,
    FOREIGN KEY (org, staff) REFERENCES subject (org, staff)
);
CREATE INDEX tenant_member_staff ON tenant_member (org, staff);

-- The root has no parent, and there is one.
CREATE TABLE team (
    org    uuid NOT NULL REFERENCES organisation_revision (org),
    id     uuid NOT NULL,
    parent uuid,
    name   text NOT NULL,
    PRIMARY KEY (org, id),
    UNIQUE (org, parent, name),
    FOREIGN KEY (org, parent) REFERENCES team (org, id)
);
CREATE UNIQUE INDEX team_root ON team (org) WHERE parent IS NULL;

-- Everybody is in exactly one.
CREATE TABLE team_member (
    org   uuid NOT NULL,
    staff uuid NOT NULL,
    team  uuid NOT NULL,
    PRIMARY KEY (org, staff),
    FOREIGN KEY (org, staff) REFERENCES subject (org, staff),
    FOREIGN KEY (org, team) REFERENCES team (org, id)
);
CREATE INDEX team_member_team ON team_member (org, team);

-- Custom roles; the built-in ones are in the code. `created` is the state to which a reset goes back.
CREATE TABLE role (
    org         uuid NOT NULL REFERENCES organisation_revision (org),
    id          text NOT NULL,
    name        text NOT NULL,
    data_access text NOT NULL CHECK (data_access IN ('restricted', 'team', 'department', 'full')),
    entries     jsonb NOT NULL,
    created     jsonb NOT NULL,
    PRIMARY KEY (org, id),
    UNIQUE (org, name)
);

CREATE TABLE staff_group (
    org    uuid NOT NULL REFERENCES organisation_revision (org),
    id     uuid NOT NULL,
    tenant text,
    name   text NOT NULL,
    PRIMARY KEY (org, id),
    UNIQUE NULLS NOT DISTINCT (org, tenant, name),
    FOREIGN KEY (org, tenant) REFERENCES tenant (org, key) ON DELETE CASCADE
);

CREATE TABLE group_member (
    org         uuid NOT NULL,
    staff_group uuid NOT NULL,
    staff       uuid NOT NULL,
    PRIMARY KEY (org, staff_group, staff),
    FOREIGN KEY (org, staff_group) REFERENCES staff_group (org, id) ON DELETE CASCADE,
    FOREIGN KEY (org, staff) REFERENCES subject (org, staff)
);
CREATE INDEX group_member_staff ON group_member (org, staff);

-- `role` is a custom one's id or a built-in one's, so there is no key to refer to; a role in use is never deleted.
CREATE TABLE assignment (
    org         uuid NOT NULL,
    id          uuid NOT NULL,
    staff       uuid,
    staff_group uuid,
    role        text NOT NULL,
    contract    text,
    tenant      text,
    expires_at  timestamptz,
    PRIMARY KEY (org, id),
    CHECK (num_nonnulls(staff, staff_group) = 1),
    UNIQUE NULLS NOT DISTINCT (org, staff, staff_group, role, contract, tenant),
    FOREIGN KEY (org, staff) REFERENCES subject (org, staff),
    FOREIGN KEY (org, staff_group) REFERENCES staff_group (org, id) ON DELETE CASCADE,
    FOREIGN KEY (org, contract) REFERENCES contract (org, key) ON DELETE CASCADE,
    FOREIGN KEY (org, tenant) REFERENCES tenant (org, key) ON DELETE CASCADE
);
CREATE INDEX assignment_group ON assignment (org, staff_group);
CREATE INDEX assignment_role ON assignment (org, role);

CREATE TABLE product_access (
    org      uuid NOT NULL,
    id       uuid NOT NULL,
    staff    uuid NOT NULL,
    contract text NOT NULL,
    product  text NOT NULL,
    level    text NOT NULL CHECK (level IN ('without', 'user', 'administrator', 'owner')),
    PRIMARY KEY (org, staff, contract, product),
    FOREIGN KEY (org, staff) REFERENCES subject (org, staff),
    FOREIGN KEY (org, contract) REFERENCES contract (org, key) ON DELETE CASCADE
);
CREATE INDEX product_access_contract ON product_access (org, contract);

-- Extensions of the PBX whose recordings a person may listen to.
CREATE TABLE subscriber_link (
    org        uuid NOT NULL,
    staff      uuid NOT NULL,
    subscriber text NOT NULL,
    PRIMARY KEY (org, staff, subscriber),
    FOREIGN KEY (org, staff) REFERENCES subject (org, staff)
);

-- A grant may be on a product or on everything, in a contract or a tenant, and for a while.
ALTER TABLE permission_grant
    ADD product    text NOT NULL DEFAULT '',
    ADD contract   text,
    ADD tenant     text,
    ADD expires_at timestamptz,
    ADD FOREIGN KEY (org, contract) REFERENCES contract (org, key) ON DELETE CASCADE,
    ADD FOREIGN KEY (org, tenant) REFERENCES tenant (org, key) ON DELETE CASCADE,
    DROP CONSTRAINT permission_grant_org_staff_section_feature_item_key,
    ADD UNIQUE NULLS NOT DISTINCT (org, staff, product, section, feature, item, contract, tenant);

-- Every change and every refused one. Rows are only ever added.
CREATE TABLE audit_entry (
    org      uuid NOT NULL REFERENCES organisation_revision (org),
    number   bigint GENERATED ALWAYS AS IDENTITY,
    at       timestamptz NOT NULL,
    actor    uuid NOT NULL,
    ip       text NOT NULL,
    kind     text NOT NULL,
    people   uuid[] NOT NULL,
    change   jsonb NOT NULL,
    before   jsonb,
    after    jsonb,
    refusal  text,
    revision bigint,
    PRIMARY KEY (org, number)
);
CREATE INDEX audit_entry_actor ON audit_entry (org, actor, number);
CREATE INDEX audit_entry_people ON audit_entry USING gin (people);

-- Who was here before there were teams is in the root, as everybody is by default.
INSERT INTO team (org, id, name) SELECT org, gen_random_uuid(), 'Company' FROM organisation_revision;
INSERT INTO team_member (org, staff, team) SELECT s.org, s.staff, t.id FROM subject s JOIN team t ON t.org = s.org;

DO $$
DECLARE tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['contract', 'tenant', 'tenant_member', 'team', 'team_member', 'role',
        'staff_group', 'group_member', 'assignment', 'product_access', 'subscriber_link', 'audit_entry'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format(
            'CREATE POLICY wall ON %I USING (org::text = current_setting(''app.org'', true)'
            ' OR current_setting(''app.org'', true) = ''anywhere'')', tenant_table);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON contract, tenant, team, role, staff_group, assignment, product_access TO :app;
GRANT SELECT, INSERT, DELETE ON tenant_member, group_member, subscriber_link TO :app;
GRANT SELECT, INSERT, UPDATE ON team_member TO :app;
GRANT SELECT, INSERT ON audit_entry TO :app;
