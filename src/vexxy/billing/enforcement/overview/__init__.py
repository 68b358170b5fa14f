"""What of its plan an organization used: every metric, and who has to hear of it."""
