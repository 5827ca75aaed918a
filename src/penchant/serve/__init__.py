"""The service: recommendations over HTTP that reflect each event immediately.

settings  how a service runs
store     events, users, impressions and changes, in SQLite or PostgreSQL
service   models and a store as one: reads, writes, refresh, online evaluation
api       endpoints, schemas, API keys, problem details, middleware
console   the service in a browser
mcp       tools for a language model, over the Model Context Protocol
app       the web application of a worker
workers   worker processes behind one port
"""
