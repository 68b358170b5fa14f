"""Answering a request that was answered before, without running anything.

**Owns:** which earlier result answers a request, and copying it.
**Does not own:** what a result is (`attempts`) nor its price (`billing`).
"""
