"""The development mailbox: an SMTP server and an SMS gateway that keep what they get and show it on a page."""
