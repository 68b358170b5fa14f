"""Plans as data: what each costs, includes and caps.

**Owns:** the catalog file, its checks and versions, which version a subscriber keeps.
**Does not own:** who subscribes to what (`billing.subscriptions`), what was used
(`billing.usage`).
"""
