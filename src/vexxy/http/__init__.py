"""What the API and the web pages share.

**Owns:** the application, what every request passes through, the table from errors to
answers, what the interface says about itself, and the dependencies that give a route its
caller and its transaction.
**Does not own:** routes, decisions, queries of slices.
"""
