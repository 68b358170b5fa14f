"""The end of an organization: stopped at once, erased by a job, and proven."""
