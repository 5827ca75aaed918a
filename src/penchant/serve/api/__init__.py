"""The HTTP API: routes, schemas, keys, errors and middleware."""
