"""What operators of the service do to credits by hand, each act with its reason.

**Owns:** grants, corrections and refunds that a person decided, and their record.
**Does not own:** what such a transaction does (`billing.ledger.rules`).
"""
