"""Tables of the advisory database: one SQLite file, or the same in memory.

`origin` is the ecosystem under which a record was imported. Replacing one origin leaves
the others alone, also where their records name the same package. `terms` of the overlay
are platforms and preconditions.
"""

from typing import Final

# "VXXY": what `file` and a wrong path are recognized by.
APPLICATION_ID: Final = 0x56585859
SCHEMA_VERSION: Final = 2
# Read as it is; brought up to date by whoever writes next.
OLDEST_READABLE: Final = 1
UPGRADES: Final = {
    1: "ALTER TABLE overlay ADD COLUMN terms BLOB; PRAGMA user_version = 2;",
}

SCHEMA: Final = """
CREATE TABLE ecosystem (
    name TEXT PRIMARY KEY,
    imported_at TEXT NOT NULL,
    source TEXT NOT NULL,
    validator TEXT,
    records INTEGER NOT NULL,
    with_symbols INTEGER NOT NULL,
    symbols INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE scope (
    ecosystem TEXT NOT NULL,
    origin TEXT NOT NULL,
    PRIMARY KEY (ecosystem, origin)
) WITHOUT ROWID;

CREATE TABLE advisory (
    id TEXT NOT NULL,
    origin TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (id, origin)
) WITHOUT ROWID;

CREATE TABLE affected (
    ecosystem TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    origin TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (ecosystem, name, id, origin)
) WITHOUT ROWID;

CREATE TABLE alias (
    id TEXT NOT NULL,
    other TEXT NOT NULL,
    origin TEXT NOT NULL,
    PRIMARY KEY (id, other, origin)
) WITHOUT ROWID;

CREATE TABLE overlay (
    ecosystem TEXT NOT NULL,
    package TEXT NOT NULL,
    vulnerability_id TEXT NOT NULL,
    module TEXT NOT NULL,
    name TEXT NOT NULL,
    confidence REAL NOT NULL,
    provenance TEXT NOT NULL,
    terms BLOB,
    PRIMARY KEY (ecosystem, package, vulnerability_id, module, name)
) WITHOUT ROWID;
"""
