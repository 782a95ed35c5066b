-- Batches per minute: a busy cell commits 160 a second, and a wall that draws an hour must not read each of them.
-- depends: 20261125840000_fast_lists

CREATE TABLE ingest_minutes (
    minute    timestamptz NOT NULL,
    lane      text NOT NULL CHECK (lane IN ('data', 'event')),
    row_count bigint NOT NULL,
    least_lag_s double precision,
    most_lag_s  double precision,
    PRIMARY KEY (minute, lane)
);
COMMENT ON TABLE ingest_minutes IS 'Committed batches of minutes that are over, summed. Writer: ingest.';
COMMENT ON COLUMN ingest_minutes.row_count IS 'Readings or events.';
COMMENT ON COLUMN ingest_minutes.least_lag_s IS 'Seconds from the newest row of a batch to its commit, least; recorded data (more than a day) and clocks that are ahead say nothing.';
COMMENT ON COLUMN ingest_minutes.most_lag_s IS 'The same, most.';
GRANT SELECT, INSERT, DELETE ON ingest_minutes TO watchkeep_ingest;

-- The batches that are not summed yet are few, whatever the sums are late by: they are looked for in the last quarter of an hour only.
CREATE VIEW wall.ingest_minute AS
SELECT minute, lane, row_count, least_lag_s, most_lag_s FROM ingest_minutes
UNION ALL
SELECT date_bin('1 minute', b.committed_at, 'epoch'), b.lane, sum(b.row_count)::bigint, extract(epoch FROM min(b.age))::double precision,
       extract(epoch FROM max(b.age))::double precision
FROM (SELECT committed_at, lane, row_count,
             CASE WHEN max_ts BETWEEN committed_at - interval '24 hours' AND committed_at THEN committed_at - max_ts END AS age
      FROM batches
      WHERE committed_at >= now() - interval '15 minutes'
        AND committed_at >= coalesce((SELECT max(m.minute) + interval '1 minute' FROM ingest_minutes m), '-infinity')) AS b
GROUP BY 1, 2;
COMMENT ON VIEW wall.ingest_minute IS 'What ingest committed per minute; the last ones may still grow.';
COMMENT ON COLUMN wall.ingest_minute.minute IS 'Begin of the minute.';
COMMENT ON COLUMN wall.ingest_minute.lane IS 'data or event.';
COMMENT ON COLUMN wall.ingest_minute.row_count IS 'Readings or events.';
COMMENT ON COLUMN wall.ingest_minute.least_lag_s IS 'Seconds from the newest row of a batch to its commit, least; recorded data (more than a day) and clocks that are ahead say nothing.';
COMMENT ON COLUMN wall.ingest_minute.most_lag_s IS 'The same, most.';
DROP VIEW wall.ingest_batch;
