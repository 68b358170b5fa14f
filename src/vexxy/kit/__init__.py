"""What every slice stands on and nothing about vulnerabilities.

**Owns:** error kinds, the clock, progress events, safe file writing.
**Does not own:** any noun of the product.
"""
