-- A webhook is for one endpoint from the beginning, and each endpoint's have a lane of their own: one that is down, with a
-- hundred thousand waiting, is not looked through by the others.
ALTER TABLE delivery ADD CHECK (channel <> 'webhook' OR provider IS NOT NULL);
CREATE INDEX delivery_endpoint ON delivery (provider, priority, next_attempt_at)
    WHERE channel = 'webhook' AND state IN ('queued', 'sending');

-- A person's own list is read by `delivery_staff`; dead ones are listed, replayed and dropped by what killed them.
CREATE INDEX delivery_dead_channel ON delivery (channel, template) WHERE state = 'dead';
