-- Who sends it, what became of it after that, and why it ended. A message that was tried too often is dead: it keeps what
-- it says until its deadline, since it may be replayed once.
ALTER TABLE delivery
    ALTER COLUMN staff DROP NOT NULL,            -- a webhook is to nobody
    DROP CONSTRAINT delivery_channel_check,
    DROP CONSTRAINT delivery_state_check,
    DROP CONSTRAINT delivery_check,
    DROP CONSTRAINT delivery_check1,
    DROP CONSTRAINT delivery_check2,
    ADD COLUMN reason text,
    ADD COLUMN provider text,                    -- whom it was last given to
    ADD COLUMN reference text,                   -- what the provider calls it
    ADD COLUMN unsure boolean NOT NULL DEFAULT false,  -- the provider may have it already: nobody else sends it
    ADD COLUMN admitted boolean NOT NULL DEFAULT false,  -- counted against the limits: once, however often it is tried
    ADD COLUMN last_attempt integer,             -- after that one it is dead; NULL: its deadline alone ends it
    ADD COLUMN replayed_at timestamptz,
    ADD COLUMN segments smallint,
    ADD COLUMN settled_at timestamptz;           -- delivered or bounced, as the provider told

-- A claim moves the next attempt to the end of its lease: whoever looks for what is due finds what was left behind, too.
UPDATE delivery SET next_attempt_at = claimed_until WHERE claimed_until IS NOT NULL;
ALTER TABLE delivery DROP COLUMN claimed_until;
UPDATE delivery SET reason = CASE WHEN superseded THEN 'superseded' WHEN state = 'expired' THEN 'too_late' ELSE 'rejected' END
    WHERE state IN ('expired', 'failed');

ALTER TABLE delivery
    ADD CHECK (channel IN ('email', 'sms', 'webhook')),
    ADD CHECK (staff IS NOT NULL OR channel = 'webhook'),
    ADD CHECK (state IN ('queued', 'sending', 'sent', 'delivered', 'bounced', 'expired', 'failed', 'dead', 'dropped')),
    ADD CHECK (CASE WHEN state IN ('queued', 'sending') THEN sealed IS NOT NULL
                    WHEN state = 'dead' THEN true ELSE sealed IS NULL END),
    ADD CHECK ((state IN ('queued', 'sending')) = (finished_at IS NULL)),
    ADD CHECK ((state IN ('queued', 'sending', 'sent', 'delivered')) = (reason IS NULL)),
    ADD CHECK ((state IN ('delivered', 'bounced')) = (settled_at IS NOT NULL));

DROP INDEX delivery_open;
CREATE INDEX delivery_due ON delivery (channel, priority, next_attempt_at) WHERE state IN ('queued', 'sending');
CREATE INDEX delivery_deadline ON delivery (channel, deadline) WHERE sealed IS NOT NULL;
CREATE INDEX delivery_superseded ON delivery (channel) WHERE superseded AND state IN ('queued', 'sending');
CREATE INDEX delivery_dead ON delivery (org, finished_at DESC) WHERE state = 'dead';
CREATE INDEX delivery_finished ON delivery (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX delivery_reference ON delivery (provider, reference) WHERE reference IS NOT NULL;

GRANT DELETE ON delivery TO :app;
