"""`/billing`: plans, credits, use, invoices (contract, section 4)."""
