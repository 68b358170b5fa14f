"""The processes of one `vexxy serve`: database, API, workers.

**Owns:** what is started in which order, what happens when one of them dies, how all of
them end, and the folder's claim that no second `serve` uses it.
**Does not own:** what the processes do.
"""
