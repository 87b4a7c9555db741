-- The keys that access tokens are signed with, in the order in which they sign: nobody's in particular, so no tenant's
-- table. Of replicas that all want to add the next one, one does: the number is taken then.
CREATE TABLE signing_key (
    number     integer PRIMARY KEY,
    kid        text NOT NULL UNIQUE,
    public     text NOT NULL,          -- as it is published
    sealed     text NOT NULL,          -- the private half, to identity's own key
    signs_from timestamptz NOT NULL,   -- published before, so that whoever verifies has it by then
    ends_at    timestamptz             -- neither published nor trusted from then on; NULL for the newest
);

GRANT SELECT, INSERT, UPDATE, DELETE ON signing_key TO :app;
