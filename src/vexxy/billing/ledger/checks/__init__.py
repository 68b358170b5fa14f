"""Proof that the record is whole and that what is kept beside it agrees.

**Owns:** reading a record from its first row, the differences that it finds, computing the
projections anew; the invariants as queries over all organizations.
**Does not own:** the record (`billing.ledger`); it is never written here.
"""
