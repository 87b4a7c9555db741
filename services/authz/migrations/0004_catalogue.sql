-- What product services published about themselves. The catalogue is the suite's and no organisation's: no wall here.
-- `content` is the manifest as JSON.
CREATE TABLE manifest (
    product      text PRIMARY KEY,
    publisher    text NOT NULL,
    version      bigint NOT NULL CHECK (version > 0),
    content      text NOT NULL,
    published_at timestamptz NOT NULL
);

-- One row, locked first by whoever publishes: the order of commits is the order of versions.
CREATE TABLE catalogue_version (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    version  bigint NOT NULL
);
INSERT INTO catalogue_version (version) VALUES (0);

-- `version` is the product's own count of the item's changes, where it tells of them by event. What was removed stays
-- with its version, so that an older event which comes late does not bring it back. Byte order is the same on every
-- server, and the same as the program's: the pages of a list begin where the last one ended.
ALTER TABLE item
    ADD owner      uuid,
    ADD team       uuid,
    ADD subscriber text,
    ADD tenant     text,
    ADD contract   text,
    ADD channel    text,
    ADD version    bigint NOT NULL DEFAULT 0,
    ADD removed    boolean NOT NULL DEFAULT false,
    ALTER type TYPE text COLLATE "C",
    ALTER id TYPE text COLLATE "C";

GRANT SELECT, INSERT, UPDATE ON manifest TO :app;
GRANT SELECT, UPDATE ON catalogue_version TO :app;
