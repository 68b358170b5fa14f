"""Setting a new password without the old one, by a link that works once."""
