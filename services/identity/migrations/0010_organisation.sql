ALTER TABLE organisation ADD COLUMN told_up_to uuid;   -- of a closed one's people: who has been told of it so far
CREATE INDEX organisation_closed ON organisation (closed_at) WHERE closed_at IS NOT NULL AND erased_at IS NULL;

-- The one offer of the organisation that is open. Nobody has to remember to end it: whoever stops being what the offer
-- was made by, or made to, ends it in the same statement.
CREATE TABLE ownership_offer (
    org        uuid PRIMARY KEY,
    offered_by uuid NOT NULL REFERENCES staff (id),
    offered_to uuid NOT NULL REFERENCES staff (id),
    offered_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE FUNCTION end_ownership_offer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM ownership_offer WHERE org = NEW.org AND (
        (offered_to = NEW.id AND (NEW.type <> 'administrator' OR NEW.status <> 'active' OR NOT NEW.portal))
        OR (offered_by = NEW.id AND NEW.type <> 'owner'));
    RETURN NULL;
END $$;
CREATE TRIGGER end_ownership_offer AFTER UPDATE OF type, status, portal ON staff
    FOR EACH ROW WHEN ((OLD.type, OLD.status, OLD.portal) IS DISTINCT FROM (NEW.type, NEW.status, NEW.portal))
    EXECUTE FUNCTION end_ownership_offer();

-- On which channels a person takes enquiries in each state; the state is in staff.availability.
ALTER TABLE staff
    ADD COLUMN availability_version bigint NOT NULL DEFAULT 0,
    ADD COLUMN channels_online text[] NOT NULL DEFAULT '{webchat,phone,email,facebook,whatsapp,sms}',
    ADD COLUMN channels_away   text[] NOT NULL DEFAULT '{}',
    ADD CONSTRAINT staff_availability_check CHECK (availability IN ('online', 'away', 'offline'));
CREATE INDEX staff_available ON staff (org, id) WHERE availability <> 'offline';

-- What staff may appear with. Where a purpose has no number, every number is allowed for it.
CREATE TABLE allowed_number (
    org      uuid NOT NULL,
    number   text NOT NULL,                -- E.164
    label    text NOT NULL,
    purposes text[] NOT NULL,
    added_by uuid NOT NULL,
    added_at timestamptz NOT NULL,
    PRIMARY KEY (org, number)
);

-- Visitors who are turned away. A network is found by looking for each of the networks that an address is in.
CREATE TABLE blocked_visitor (
    org      uuid NOT NULL,
    id       uuid PRIMARY KEY,
    kind     text NOT NULL CHECK (kind IN ('number', 'email', 'ip')),
    value    text NOT NULL,
    reason   text NOT NULL,
    added_by uuid NOT NULL,
    added_at timestamptz NOT NULL,
    UNIQUE (org, kind, value)
);
CREATE INDEX blocked_visitor_newest ON blocked_visitor (org, id DESC);

DO $$
DECLARE tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['ownership_offer', 'allowed_number', 'blocked_visitor'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format(
            'CREATE POLICY wall ON %I USING (org::text = current_setting(''app.org'', true)'
            ' OR current_setting(''app.org'', true) = ''anywhere'')', tenant_table);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON ownership_offer, allowed_number, blocked_visitor TO :app;
