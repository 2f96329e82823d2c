-- Signatures and nonces of messages that were taken, until they would be refused for their age.
CREATE TABLE used_marks (
    mark     BYTEA PRIMARY KEY CHECK (length(mark) = 32),
    until_at BIGINT NOT NULL
);

CREATE INDEX used_marks_by_time ON used_marks (until_at);
