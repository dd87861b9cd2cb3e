-- What the ACME client of all nodes keeps: its account, the certificate, challenges, a lease. `value` may be sealed with a
-- master key. `until` is the moment from which the record is gone, in milliseconds since 1970; 0: the record stays.
CREATE TABLE acme_records (
    name TEXT NOT NULL PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 600),
    value TEXT NOT NULL CHECK (length(value) <= 1000000),
    until BIGINT NOT NULL
);
