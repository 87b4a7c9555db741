"""Wrong requests, made from the OpenAPI documents and from one sound request for each operation, and how they are judged."""
