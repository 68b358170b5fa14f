"""Foreign formats of inventories, one file a format.

**Owns:** package databases and metadata inside an image (`survey` is what their readers
share), and CycloneDX, SPDX and Syft documents.
**Does not own:** which reader runs when (service).
"""
