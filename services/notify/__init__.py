"""notify: e-mails and SMS to staff, sent once, in time, or reported."""
