"""Work that is done later, kept in PostgreSQL until it is.

**Owns:** the queue: jobs, their states, leases, turns, retries and their ends.
**Does not own:** what a job does, the processes that do it, the broker.
"""
