"""What things cost and what a plan allows.

**Owns:** the tiers of the contract (section 4), the price of an analysis.
**Does not own:** analyses: it is told what ran and for how long.
"""
