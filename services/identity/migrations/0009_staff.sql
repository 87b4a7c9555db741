-- The list of staff is sorted and searched without regard to case. A database in the locale C knows the case of ASCII
-- only, so the folding names a collation: PostgreSQL's own from 17 on, ICU's before that, and C where there is neither.
DO $$
DECLARE found text;
BEGIN
    SELECT collname INTO found FROM pg_collation
        WHERE collnamespace = 'pg_catalog'::regnamespace AND collname IN ('pg_c_utf8', 'und-x-icu')
        ORDER BY collname = 'pg_c_utf8' DESC LIMIT 1;
    EXECUTE format(
        'CREATE FUNCTION folded(given text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE'
        ' RETURN lower(given COLLATE pg_catalog.%I) COLLATE "C"', coalesce(found, 'C'));
END $$;
CREATE FUNCTION joined(given text[]) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN array_to_string(given, ', ');

ALTER TABLE staff
    ADD COLUMN name_key  text COLLATE "C" GENERATED ALWAYS AS (folded(name)) STORED,
    ADD COLUMN email_key text COLLATE "C" GENERATED ALWAYS AS (folded(email)) STORED,
    ADD COLUMN role_key  text COLLATE "C" GENERATED ALWAYS AS (folded(joined(role_names))) STORED,
    ADD COLUMN team_key  text COLLATE "C" GENERATED ALWAYS AS (folded(coalesce(team_name, ''))) STORED;

-- One for each order; by username there is the constraint's.
CREATE INDEX staff_by_name ON staff (org, name_key, id);
CREATE INDEX staff_by_email ON staff (org, email_key, id);
CREATE INDEX staff_by_role ON staff (org, role_key, id);
CREATE INDEX staff_by_team ON staff (org, team_key, id);
CREATE INDEX staff_by_availability ON staff (org, availability, id);
CREATE INDEX staff_by_status ON staff (org, status, id);
CREATE INDEX staff_to_erase ON staff (deleted_at) WHERE status = 'deleted' AND erased_at IS NULL;
