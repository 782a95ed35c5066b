-- name: cases_of_period
-- What was filed, with where it came from; recorded data and test cases are no load.
SELECT case_id, community_id, equipment_id, condition, class, duty_id, event_at FROM cases
WHERE filed_at >= %(since)s AND filed_at < %(until)s AND NOT replay AND source <> 'test'
ORDER BY case_id LIMIT %(at_most)s

-- name: organisation_names
SELECT org_id, name FROM organisations WHERE org_id = ANY (%s)
