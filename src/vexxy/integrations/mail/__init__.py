"""Mail over SMTP.

**Owns:** handing a letter to a mail server, with TLS where the server has it.
**Does not own:** what the letter says, and when it is sent (identity).
"""
