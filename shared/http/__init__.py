"""HTTP the same way in every service: operations, problems, OpenAPI, health."""
