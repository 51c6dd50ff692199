-- no transaction: CREATE INDEX CONCURRENTLY does not block writers, and cannot run in one.
-- Events of one aggregate are read in order.
DROP INDEX CONCURRENTLY IF EXISTS log_by_subject_position;
CREATE INDEX CONCURRENTLY log_by_subject_position ON log (subject, position);
DROP INDEX CONCURRENTLY IF EXISTS log_by_subject;
-- Expired rows are found without reading the others: BRIN ranges never narrow after a deletion.
DROP INDEX CONCURRENTLY IF EXISTS answers_by_time;
CREATE INDEX CONCURRENTLY answers_by_time ON answers (given_at);
DROP INDEX CONCURRENTLY IF EXISTS answers_by_age;
DROP INDEX CONCURRENTLY IF EXISTS batches_by_time;
CREATE INDEX CONCURRENTLY batches_by_time ON batches (started_at);
DROP INDEX CONCURRENTLY IF EXISTS batches_by_age;
