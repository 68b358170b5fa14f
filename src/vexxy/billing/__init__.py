"""What things cost, what a plan allows, what was used and what is owed.

**Owns:** plans, prices, the ledger of credits, usage, subscriptions and their periods,
quotas, invoices.
**Does not own:** analyses: it is told what ran, a price and a key.
"""
