-- Projection of the spool. The spool is the truth: this database may be deleted at any time.
CREATE TABLE calls (
    id               TEXT PRIMARY KEY NOT NULL, -- ULID, sorts by the time of the ring
    from_address     TEXT NOT NULL,
    to_address       TEXT NOT NULL,
    leg              TEXT NOT NULL,
    flow             TEXT NOT NULL,
    flow_version     TEXT NOT NULL,
    build            TEXT NOT NULL,
    started_unix_ms  INTEGER NOT NULL,
    answered_unix_ms INTEGER,
    ended_unix_ms    INTEGER,
    outcome          TEXT,
    cause            TEXT,
    agent            TEXT
) WITHOUT ROWID;

CREATE TABLE entries (
    call  TEXT NOT NULL,
    seq   INTEGER NOT NULL, -- number of the record in the spool
    at_ms INTEGER NOT NULL, -- since the ring
    what  TEXT NOT NULL,
    json  TEXT NOT NULL,
    PRIMARY KEY (call, seq)
) WITHOUT ROWID;

CREATE TABLE packets (
    id         TEXT PRIMARY KEY NOT NULL,
    call       TEXT NOT NULL,
    seq        INTEGER NOT NULL,
    token_hash TEXT NOT NULL, -- SHA-256, hexadecimal
    json       TEXT NOT NULL
) WITHOUT ROWID;

CREATE INDEX packets_by_call ON packets (call, seq);

-- How far the spool has been projected; written in the transaction of what was projected.
CREATE TABLE projected (
    only    INTEGER PRIMARY KEY CHECK (only = 1),
    segment INTEGER NOT NULL,
    offset  INTEGER NOT NULL
);

INSERT INTO projected (only, segment, offset) VALUES (1, 0, 0);
