"""Credits: what was granted, promised and spent, and proof that nothing else was.

**Owns:** the append-only record (`billing_events`), the account of each organization and
its lots, both projections of the record; holds and their end; the hash chain.
**Does not own:** what an analysis costs (`billing.pricing`), when a period ends
(`billing.subscriptions`), who may submit (`billing.quotas`).
"""
