"""What was used, counted once.

**Owns:** usage events and their totals by day, metric and aggregation; corrections,
backfill, lag.
**Does not own:** what use costs (`billing.invoices`), whether it is allowed
(`billing.enforcement`).
"""
