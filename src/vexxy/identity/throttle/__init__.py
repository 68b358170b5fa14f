"""How often somebody may try to prove who they are; counted in PostgreSQL."""
