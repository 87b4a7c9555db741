-- Tries at the second factor are counted over all logins of a person, each time one is made.
CREATE INDEX login_staff ON login (org, staff, created_at DESC);
