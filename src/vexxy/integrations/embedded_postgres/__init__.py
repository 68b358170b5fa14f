"""A real PostgreSQL from a wheel, for who has set up no database.

**Owns:** making the cluster, starting, watching and stopping the server that the
program brings along.
**Does not own:** the schema, and databases somebody else runs.
"""
