"""Everything an organization has, as one ZIP archive that it can download."""
