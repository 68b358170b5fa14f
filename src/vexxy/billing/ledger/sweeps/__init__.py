"""What time ends: holds that nobody resolved, and lots that nobody used up.

**Owns:** finding them across organizations, and how far a sweep has come.
**Does not own:** what their end books (`billing.ledger.rules`).
"""
