-- Failures lately: at an account, from a network, at an organisation, on a device. Not a tenant's table: what was typed may
-- be nobody's, and is counted all the same. `level` goes down by `forgets` an hour; `failures` is the number in a row.
CREATE TABLE throttle (
    key       bytea PRIMARY KEY,             -- HMAC with a key that is not in the database: says nothing of who it is
    failures  integer NOT NULL,
    level     double precision NOT NULL,     -- as it was at failed_at
    forgets   double precision NOT NULL,
    failed_at timestamptz NOT NULL
);
CREATE INDEX throttle_failed ON throttle (failed_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON throttle TO :app;

-- Wrong passwords in a row before this login: the person is told when it is over. And whether they were told already
-- that somebody who has the password failed at the second factor.
ALTER TABLE login
    ADD COLUMN failures integer NOT NULL DEFAULT 0,
    ADD COLUMN told     boolean NOT NULL DEFAULT false;

-- What is left of an organisation's username when letters that look alike are one: two that look the same are not given.
ALTER TABLE organisation_name ADD COLUMN skeleton text UNIQUE;
UPDATE organisation_name SET skeleton = key WHERE kind = 'username';

-- Not even the owner of the tables changes by a slip what people have learnt to type.
CREATE FUNCTION keep_names() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the names of an organisation are given once and for ever';
END $$;
CREATE TRIGGER kept BEFORE UPDATE OR DELETE ON organisation_name FOR EACH ROW EXECUTE FUNCTION keep_names();
CREATE TRIGGER kept BEFORE UPDATE OF org, number, username ON organisation FOR EACH ROW
    WHEN (OLD.org <> NEW.org OR OLD.number <> NEW.number OR OLD.username IS DISTINCT FROM NEW.username AND OLD.username IS NOT NULL)
    EXECUTE FUNCTION keep_names();
