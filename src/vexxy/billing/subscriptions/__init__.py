"""Who is on which plan, from when to when.

**Owns:** subscriptions, their periods, rollover, trials, changes and their proration.
**Does not own:** what plans contain (`billing.catalog`), credits (`billing.ledger`).
"""
