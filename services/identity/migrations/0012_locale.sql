-- The language that a person wants, as a tag of BCP 47; NULL: whichever their organisation has.
ALTER TABLE staff
    ADD COLUMN locale    text,
    ADD COLUMN tested_at timestamptz;   -- when they last sent themselves a message to see whether it arrives
