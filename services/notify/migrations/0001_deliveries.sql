-- A message that was promised, and what became of it. Open (queued, sending) while there is still something to do.
CREATE TABLE delivery (
    org             uuid NOT NULL,
    id              uuid PRIMARY KEY,            -- of the link or code: the same event again can't make a second one
    staff           uuid NOT NULL,
    channel         text NOT NULL CHECK (channel IN ('email', 'sms')),
    template        text NOT NULL,
    priority        smallint NOT NULL,           -- smaller goes first
    state           text NOT NULL CHECK (state IN ('queued', 'sending', 'sent', 'expired', 'failed')),
    sealed          text,                        -- as it came; opened only to be sent, erased when it is over
    superseded      boolean NOT NULL DEFAULT false,
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    claimed_until   timestamptz,                 -- whoever sends it has until then to say what came of it
    issued_at       timestamptz NOT NULL,        -- the time of the event
    created_at      timestamptz NOT NULL,
    deadline        timestamptz NOT NULL,        -- never sent later
    finished_at     timestamptz,
    last_answer     text,
    traceparent     text NOT NULL,
    CHECK ((state IN ('queued', 'sending')) = (sealed IS NOT NULL)),
    CHECK ((state IN ('queued', 'sending')) = (finished_at IS NULL)),
    CHECK ((state = 'sending') = (claimed_until IS NOT NULL))
);
CREATE INDEX delivery_open ON delivery (channel, priority, created_at) WHERE state IN ('queued', 'sending');
CREATE INDEX delivery_staff ON delivery (org, staff, created_at DESC);
CREATE INDEX delivery_org ON delivery (org, created_at DESC);

ALTER TABLE delivery ENABLE ROW LEVEL SECURITY;
CREATE POLICY org_wall ON delivery
    USING (org::text = current_setting('app.org', true) OR current_setting('app.org', true) = 'anywhere');

GRANT SELECT, INSERT, UPDATE ON delivery TO :app;
