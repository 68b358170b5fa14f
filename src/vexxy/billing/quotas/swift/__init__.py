"""The usual admission in three round trips; whatever is unusual it leaves to others."""
