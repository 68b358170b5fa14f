"""Invoices as PDF, drawn on this machine with ReportLab.

**Owns:** the page, its font (DejaVu Sans, embedded), the bytes.
**Does not own:** what an invoice says (`vexxy.billing.invoices`).
"""
