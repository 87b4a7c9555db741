-- How late a message is whose fate is known, by channel: what is told of an earlier one says nothing any more.
ALTER TABLE staff
    ADD COLUMN email_heard_at  timestamptz,
    ADD COLUMN mobile_heard_at timestamptz;
