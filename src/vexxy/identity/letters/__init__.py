"""Letters that nobody waits for."""
