"""How an organisation's e-mails look, and in which language it speaks unless a person chose another."""
