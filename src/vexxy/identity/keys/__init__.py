"""API keys: made by a person, shown by programs, with part of the person's rights."""
