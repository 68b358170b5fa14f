"""The call graph of JavaScript and TypeScript code, by names and properties.

**Owns:** what one file mentions, what everything that ran leads to.
**Does not own:** which files a request resolves to (`loadable.node_modules`).
"""
