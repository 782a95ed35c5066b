-- name: community
SELECT name FROM communities WHERE community_id = %(community)s

-- name: save_gateway
INSERT INTO gateways (community_id, gateway_id, name) VALUES (%(community)s, %(gateway)s, %(name)s)
ON CONFLICT (community_id, gateway_id) DO UPDATE SET revoked_at = NULL

-- name: equipment
SELECT equipment_id, kind, name, vendor_profile
FROM equipment WHERE community_id = %(community)s AND status = 'in_service' AND kind <> 'gateway'
ORDER BY kind, equipment_id

-- name: revoke
UPDATE gateways SET revoked_at = now()
WHERE (community_id, gateway_id) = (%(community)s, %(gateway)s) AND revoked_at IS NULL
