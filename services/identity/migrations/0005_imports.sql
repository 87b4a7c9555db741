-- Files of staff. A file is staged row by row when it comes, so that it can be checked and written in small steps by
-- whichever worker is there, and taken up where one that died left it.
CREATE TABLE staff_import (
    org           uuid NOT NULL,
    id            uuid PRIMARY KEY,
    by_staff      uuid NOT NULL REFERENCES staff (id),
    key           text NOT NULL,          -- the sender's own name for it: once is once
    digest        bytea NOT NULL,         -- of the file and of what was asked with it
    mode          text NOT NULL CHECK (mode IN ('all', 'good')),
    activate      boolean NOT NULL,
    columns       text[] NOT NULL,        -- as the file has them
    state         text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'finished', 'refused', 'failed')),
    phase         text NOT NULL DEFAULT 'validate' CHECK (phase IN ('validate', 'create')),
    reason        text,
    judged_as     text,                   -- the sender's type of account when the rows were judged
    rows          integer NOT NULL DEFAULT 0,
    done          integer NOT NULL DEFAULT 0,
    good          integer NOT NULL DEFAULT 0,
    bad           integer NOT NULL DEFAULT 0,
    created       integer NOT NULL DEFAULT 0,
    attempts      integer NOT NULL DEFAULT 0, -- fences: whoever takes it over raises it
    faults        integer NOT NULL DEFAULT 0,
    claimed_until timestamptz,
    ip            text NOT NULL,
    agent         text NOT NULL,
    traceparent   text NOT NULL,
    created_at    timestamptz NOT NULL,
    started_at    timestamptz,
    finished_at   timestamptz,
    swept_at      timestamptz,
    UNIQUE (org, by_staff, key)
);
CREATE INDEX staff_import_due ON staff_import (created_at) WHERE state IN ('waiting', 'running');
CREATE INDEX staff_import_kept ON staff_import (finished_at) WHERE swept_at IS NULL AND finished_at IS NOT NULL;

-- raw -> good | bad; good -> written (the person is there) -> done (it was told, and nothing is left to be known of the row).
CREATE TABLE staff_import_row (
    org    uuid NOT NULL,
    import uuid NOT NULL REFERENCES staff_import (id),
    row    integer NOT NULL,              -- as a spreadsheet counts: the header is row 1
    state  text NOT NULL DEFAULT 'raw' CHECK (state IN ('raw', 'good', 'bad', 'written', 'done')),
    cells  jsonb,
    person jsonb,                         -- as it is to be written
    digest bytea,                         -- of the username, as in staff_name
    role   text,
    team   uuid,
    faults jsonb,
    PRIMARY KEY (org, import, row)
);

DO $$
DECLARE tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['staff_import', 'staff_import_row'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format(
            'CREATE POLICY wall ON %I USING (org::text = current_setting(''app.org'', true)'
            ' OR current_setting(''app.org'', true) = ''anywhere'')', tenant_table);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE ON staff_import TO :app;
GRANT SELECT, INSERT, UPDATE, DELETE ON staff_import_row TO :app;
