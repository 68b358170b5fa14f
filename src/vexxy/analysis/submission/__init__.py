"""Analyses that are kept: asked for, queued, run by a worker, shown until for ever.

**Owns:** the table of analyses, its states, what is asked and what is answered.
**Does not own:** running one (pipeline), the queue (jobs), documents (documents).
"""
