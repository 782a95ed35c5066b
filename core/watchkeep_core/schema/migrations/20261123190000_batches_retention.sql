-- Old batch rows go after `keep_batches_days`; their writer drops them.
-- depends: 20261123180100_supervision_scores
GRANT DELETE ON batches TO watchkeep_ingest;
