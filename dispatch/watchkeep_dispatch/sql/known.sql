-- What an option may name.

-- name: area
SELECT name FROM areas WHERE area_id = %s

-- name: community
SELECT FROM communities WHERE community_id = %s

-- name: org
SELECT FROM organisations WHERE org_id = %s

-- name: case
SELECT FROM cases WHERE case_id = %s
