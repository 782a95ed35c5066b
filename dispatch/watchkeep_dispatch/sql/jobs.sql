-- name: grants
-- dispatch runs the queue; console may only add to it (RETURNING id needs that one column).
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA jobs FROM PUBLIC;
GRANT USAGE ON SCHEMA jobs TO watchkeep_dispatch, watchkeep_console;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA jobs TO watchkeep_dispatch;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA jobs TO watchkeep_dispatch, watchkeep_console;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA jobs TO watchkeep_dispatch;
GRANT INSERT, SELECT (id) ON jobs.procrastinate_jobs TO watchkeep_console;
GRANT INSERT ON jobs.procrastinate_events TO watchkeep_console;
GRANT EXECUTE ON FUNCTION jobs.procrastinate_defer_jobs_v1(jobs.procrastinate_job_to_defer_v1[]) TO watchkeep_console;
