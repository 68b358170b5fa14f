"""One package per vendor.

**Owns:** foreign protocols and clients; vendor exceptions stop here.
**Does not own:** decisions.
"""
