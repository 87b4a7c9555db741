"""E-mails as people see them: in a real browser, by day and by night, on a desk and on a telephone."""
