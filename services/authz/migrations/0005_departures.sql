-- People who were deleted, organisations that were closed, and what a file named for somebody who was imported.

-- Terminal: whatever comes later, no event of an earlier time brings anybody back.
ALTER TABLE subject
    DROP CONSTRAINT subject_status_check,
    ADD CONSTRAINT subject_status_check CHECK (status IN ('invited', 'active', 'suspended', 'deleted')),
    ADD imported boolean NOT NULL DEFAULT false;   -- they were given what the file named: that is done once
ALTER TABLE organisation_revision ADD closed boolean NOT NULL DEFAULT false;

-- Who was deleted is in no team.
GRANT DELETE ON team_member TO :app;

-- Roles that were given until some day, for the sweep that tells of their end.
CREATE INDEX assignment_end ON assignment (expires_at) WHERE expires_at IS NOT NULL;
