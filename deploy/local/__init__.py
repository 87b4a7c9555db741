"""One machine as the whole platform: embedded PostgreSQL, a private RabbitMQ, a mailbox and the services."""
