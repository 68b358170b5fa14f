"""What the API and the web pages share.

**Owns** the application, its middleware, the table from errors to answers, and the
dependencies that give a route its caller and its transaction. **Does not own** routes.
"""
