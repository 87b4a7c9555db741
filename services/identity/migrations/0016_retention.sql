-- What is over is deleted after some time, so what was found out by looking at all there ever was is kept by itself:
-- whether a person has been in before (a new device is no news at the first login), and how many reset links
-- administrators have sent to them.
ALTER TABLE staff
    ADD COLUMN been_in          boolean NOT NULL DEFAULT false,
    ADD COLUMN reset_sent_count integer NOT NULL DEFAULT 0;
UPDATE staff SET been_in = true WHERE id IN (SELECT staff FROM session);
UPDATE staff SET reset_sent_count = sent.count
    FROM (SELECT staff, count(*) FROM link WHERE purpose = 'reset' AND NOT asked GROUP BY staff) AS sent
    WHERE staff.id = sent.staff;

-- The oldest are found first, and what refers to them at once.
CREATE INDEX login_over ON login (expires_at);
CREATE INDEX code_of ON code (login);
CREATE INDEX session_over ON session (expires_at);
CREATE INDEX refresh_token_of ON refresh_token (session);
CREATE INDEX link_over ON link (expires_at);
CREATE INDEX challenge_over ON challenge (expires_at);
CREATE INDEX device_over ON device (used_at);
CREATE INDEX password_failure_over ON password_failure (failed_at);
CREATE INDEX staff_import_over ON staff_import (finished_at) WHERE swept_at IS NOT NULL;

GRANT DELETE ON login, code, session, refresh_token, link, staff_import TO :app;
GRANT UPDATE ON password_failure TO :app;   -- to hold rows, so that another replica leaves them to whoever has them
