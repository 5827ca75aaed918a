"""The service: lists over HTTP that follow each event at once.

tables, rows, store   what is kept, in SQLite or PostgreSQL
arm, live             artifacts in service, and artifacts and store as one
asking, incoming      what is answered, and what comes in
profiles              users' interests as texts
goods                 items as they are posted
gate                  whether a new artifact may take over
schemas, routes, app  the addresses, and ``texts`` those of profiles
console               the same in a browser
guard, keys, problems limits, who may do what, what is said where something is wrong
run                   worker processes
refresh               what came into a store goes into its run
logged, online        what lists did: clicks by arm, what a run would have earned
mcp                   tools for a language model
"""
