-- Queries of the community wall.

-- name: latest_warnings
-- What still holds stands above what is over, and the urgent class above the others.
SELECT w.class, w.status, w.event_at, c.name_{language} AS community, w.equipment_{language} AS equipment,
       w.sentence_{language} AS sentence, w.warning_id, w.community_id, w.equipment_id
FROM wall.warning w JOIN wall.community c USING (community_id)
WHERE (w.status = 'open' OR $__timeFilter(w.detected_at)) AND w.community_id IN (${community:sqlstring})
ORDER BY w.status = 'open' DESC, w.class, w.detected_at DESC
LIMIT 13
