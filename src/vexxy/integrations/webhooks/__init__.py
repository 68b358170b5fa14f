"""Sending signed requests to addresses that customers gave.

**Owns:** the connection: where a name leads, time limits, no redirects. **Does not own**
what is sent, its signature, or when to try again (`notifications`).
"""
