-- Outbox: what has to be told, committed with what it tells. The body is the finished CloudEvent, byte for byte what
-- goes over the wire. Kept for a week after publication, to be replayed.
CREATE TABLE outbox (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id     uuid NOT NULL UNIQUE,
    type         text NOT NULL,
    body         bytea NOT NULL,
    created_at   timestamptz NOT NULL,
    published_at timestamptz
);
CREATE INDEX outbox_unpublished ON outbox (id) WHERE published_at IS NULL;
CREATE INDEX outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL;

-- Inbox: which events a consumer has dealt with, committed with what it did. Kept longer than any replay reaches back.
CREATE TABLE inbox (
    consumer    text NOT NULL,
    event_id    uuid NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (consumer, event_id)
);
CREATE INDEX inbox_received ON inbox (received_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON outbox, inbox TO :app;
