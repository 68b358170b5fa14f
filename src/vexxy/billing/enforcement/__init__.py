"""What happens when use reaches a cap.

**Owns:** soft and hard caps, grace, alerts, the headers of a metered answer.
**Does not own:** the counting (`billing.usage`), analyses (`billing.quotas`).
"""
