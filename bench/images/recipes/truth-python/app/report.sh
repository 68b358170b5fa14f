#!/bin/sh
file --brief /app/app.py
exec python3 /app/batch.py
