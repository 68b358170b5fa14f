"""What happened to money and credits, month by month.

**Owns:** the sums of months, and the proof that they are the ledger's own totals.
**Does not own:** any row of them.
"""
