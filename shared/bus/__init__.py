"""Events between services: outbox, relay, consumers, hints, over RabbitMQ or, where there is none, in memory."""
