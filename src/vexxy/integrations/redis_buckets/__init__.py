"""Token buckets that every process of the service draws from.

**Owns:** the script that runs in Redis, and what its failures mean.
**Does not own:** rates, keys, or what happens while Redis is away (`kit.buckets`).
"""
