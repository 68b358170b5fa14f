"""What an analysis saw, kept so that anybody can check its verdicts.

**Owns:** the address, compression and checksums of stored bytes, the rows that name
them (`analysis_evidence`, `evidence_blobs`), retention, signed download links.

**Does not own:** what evidence means (tracer, dast, vex), where bytes lie
(`integrations.object_storage`), who may read them (`http`).
"""
