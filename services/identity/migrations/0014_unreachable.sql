-- Whom messages do not reach, by which channel, why and since when, as notify told; NULL as far as is known they do.
ALTER TABLE staff
    ADD COLUMN email_failure       text,
    ADD COLUMN email_failed_at     timestamptz,
    ADD COLUMN mobile_failure      text,
    ADD COLUMN mobile_failed_at    timestamptz,
    ADD COLUMN unreachable_told_at timestamptz,   -- when administrators were told last
    ADD CHECK ((email_failure IS NULL) = (email_failed_at IS NULL)),
    ADD CHECK ((mobile_failure IS NULL) = (mobile_failed_at IS NULL));
CREATE INDEX staff_unreachable ON staff (org, id) WHERE email_failure IS NOT NULL OR mobile_failure IS NOT NULL;
CREATE INDEX staff_told ON staff (org, unreachable_told_at) WHERE unreachable_told_at IS NOT NULL;

-- Of a new address nothing is known yet, whoever changes it and how.
CREATE FUNCTION forget_failure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.email IS DISTINCT FROM OLD.email THEN
        NEW.email_failure := NULL;
        NEW.email_failed_at := NULL;
    END IF;
    IF NEW.mobile IS DISTINCT FROM OLD.mobile THEN
        NEW.mobile_failure := NULL;
        NEW.mobile_failed_at := NULL;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER forget_failure BEFORE UPDATE OF email, mobile ON staff
    FOR EACH ROW WHEN ((OLD.email, OLD.mobile) IS DISTINCT FROM (NEW.email, NEW.mobile))
    EXECUTE FUNCTION forget_failure();
