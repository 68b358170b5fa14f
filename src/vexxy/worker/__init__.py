"""The door of background work: who takes jobs, when, and in which process.

**Owns:** the loop, the leases' renewal, Celery's messages, periodic work, children.
**Does not own:** what a job does (its slice), the rows of the queue (`jobs`).
"""
