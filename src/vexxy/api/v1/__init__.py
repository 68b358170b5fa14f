"""Version 1 of the interface, below `/api/v1` (contract, section 1)."""
