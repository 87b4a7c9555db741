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

-- Those that a whole page is found by. By role, team, availability and status everybody is sorted: those columns change
-- often, and an index on them would make every such change write to all the others.
CREATE INDEX staff_by_name ON staff (org, name_key, id);
CREATE INDEX staff_by_email ON staff (org, email_key, id);
CREATE INDEX staff_to_erase ON staff (deleted_at) WHERE status = 'deleted' AND erased_at IS NULL;
