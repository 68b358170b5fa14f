"""What is owed for a period.

**Owns:** rating of usage beyond a plan, invoices and their lines.
**Does not own:** usage (`billing.usage`), periods (`billing.subscriptions`), payments.
"""
