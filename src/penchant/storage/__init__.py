"""What is kept on disk: saved runs, DuckDB connections, caches and keys."""
