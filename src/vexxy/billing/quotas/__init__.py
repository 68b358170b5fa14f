"""Whether an analysis may be taken in, decided once.

**Owns:** admissions (one decision over status, period, analyses and credits), their
settlement and release, overrides by operators.
**Does not own:** credits (`billing.ledger`), caps of other metrics
(`billing.enforcement`).
"""
