"""What operators allow one organization instead of what its plan says.

**Owns:** overrides: of which limit or feature, until when, why, by whom.
**Does not own:** plans (`billing.catalog`), the decisions that ask (`billing.quotas`,
`billing.enforcement`).
"""
