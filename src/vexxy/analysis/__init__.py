"""One analysis, from image to verdicts.

**Owns:** the phases, their order, the results object of the contract.
**Does not own:** any single step; each belongs to the slice it calls.
"""
