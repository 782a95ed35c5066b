-- Notifications: channels of persons, fallback order, receipts, holding and leasing of what still has to go out.
-- depends: 20261123160000_lifecycle_clocks

ALTER TABLE notification_channels
    ALTER COLUMN org_id DROP NOT NULL,
    ALTER COLUMN url SET DEFAULT '',
    ADD COLUMN person_id uuid REFERENCES people ON DELETE CASCADE,
    ADD COLUMN kind text NOT NULL DEFAULT 'webhook' CHECK (kind IN ('sms', 'voice', 'mail', 'wecom', 'dingtalk', 'webhook')),
    ADD COLUMN rank smallint NOT NULL DEFAULT 1 CHECK (rank > 0),
    ADD COLUMN quiet_hours text CHECK (quiet_hours ~ '^$|^[0-2]\d:[0-5]\d-[0-2]\d:[0-5]\d$'),
    ADD COLUMN language text CHECK (language IN ('zh', 'en')),
    ADD COLUMN per_minute integer CHECK (per_minute > 0),
    ADD CONSTRAINT notification_channels_owner CHECK ((org_id IS NULL) <> (person_id IS NULL)),
    ADD CONSTRAINT notification_channels_url CHECK (url <> '' OR person_id IS NOT NULL),
    ADD CONSTRAINT notification_channels_person UNIQUE (person_id, name);
COMMENT ON COLUMN notification_channels.url IS 'apprise URL with its secrets, for dispatch only. Empty = the site''s SMS, voice or mail service, or the group robot of the organisation, to this person.';
COMMENT ON COLUMN notification_channels.rank IS 'Of a person: order of fallback, lowest first. All channels of an organisation are used.';
COMMENT ON COLUMN notification_channels.quiet_hours IS 'Such as 22:00-07:00; null = the site''s for persons, none for organisations; empty = none.';
COMMENT ON COLUMN notification_channels.per_minute IS 'More messages than these are joined into one; null = as the kind allows. Never life safety.';

ALTER TABLE notifications
    ADD COLUMN kind text NOT NULL DEFAULT '',
    ADD COLUMN words jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN urgent boolean NOT NULL DEFAULT false,
    ADD COLUMN channel_id integer REFERENCES notification_channels ON DELETE SET NULL,
    ADD COLUMN due_at timestamptz NOT NULL DEFAULT '-infinity',
    ADD COLUMN digest boolean NOT NULL DEFAULT false,
    ADD COLUMN leased_until timestamptz NOT NULL DEFAULT '-infinity',
    ADD COLUMN wake_at timestamptz,
    ADD COLUMN fallback_at timestamptz,
    ADD COLUMN delivered_at timestamptz,
    ADD COLUMN read_at timestamptz,
    ADD COLUMN acted_at timestamptz;
COMMENT ON COLUMN notifications.words IS 'Values of the text, rendered anew in the language of the channel.';
COMMENT ON COLUMN notifications.due_at IS 'Not handed over before: quiet hours, digest, next attempt.';
COMMENT ON COLUMN notifications.digest IS 'Was held back and may be joined with others into one message.';
COMMENT ON COLUMN notifications.wake_at IS 'When a job has to be made for it, if it still waits then.';
COMMENT ON COLUMN notifications.fallback_at IS 'When the person''s next channel takes over, unless it was read.';
CREATE INDEX notifications_queued ON notifications (channel_id, urgent DESC, notification_id) WHERE status = 'queued';
CREATE INDEX notifications_wake ON notifications (wake_at) WHERE status = 'queued';
CREATE INDEX notifications_fallback ON notifications (fallback_at) WHERE fallback_at IS NOT NULL;
CREATE INDEX notifications_failed ON notifications (notification_id) WHERE status = 'failed';
CREATE INDEX people_org ON people (org_id);
CREATE INDEX memberships_scope ON memberships (scope_id, role);
CREATE INDEX cases_open_a ON cases (case_id) WHERE class = 'A' AND closed_at IS NULL AND NOT replay;

-- Writes one queued row per channel that these in-app rows have to go to: those of the organisation, and the first one of
-- each person concerned: who is named; else the assignee, else who is on call, else who has one of the roles there; for
-- life safety all of them. A definer, since a person who acts in the console may not see the channels of others.
CREATE FUNCTION address_notifications(ids bigint[], roles text[], named uuid[])
RETURNS TABLE (notification_id bigint, channel_id integer, urgent boolean)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH told AS (
        SELECT n.*, o.assignee_id, c.community_id
        FROM notifications n LEFT JOIN orders o USING (order_id) LEFT JOIN cases c ON c.case_id = n.case_id
        WHERE n.notification_id = ANY (ids) AND n.channel = 'in_app'
    ), candidates AS (
        SELECT t.notification_id, p.person_id, 1 AS turn FROM told t, unnest(named) AS p (person_id)
        UNION
        SELECT t.notification_id, t.assignee_id, 2 FROM told t
        WHERE t.assignee_id IS NOT NULL AND cardinality(roles) > 0
        UNION
        SELECT t.notification_id, s.person_id, 3 FROM told t JOIN rota_shifts s ON s.org_id = t.org_id
        WHERE s.during @> now() AND coalesce(s.community_id, t.community_id) IS NOT DISTINCT FROM t.community_id
              AND cardinality(roles) > 0
        UNION
        SELECT t.notification_id, m.person_id, 4
        FROM told t JOIN people p ON p.org_id = t.org_id JOIN memberships m ON m.person_id = p.person_id
        WHERE m.role = ANY (roles) AND m.valid @> now()
        UNION
        SELECT t.notification_id, m.person_id, 4
        FROM told t JOIN memberships m ON m.scope_kind = 'organisation' AND m.scope_id = t.org_id
        WHERE m.role = ANY (roles) AND m.valid @> now()
    ), reachable AS (
        SELECT x.notification_id, x.person_id, x.turn, h.channel_id, h.kind,
               row_number() OVER (PARTITION BY x.notification_id, x.person_id, x.turn ORDER BY h.rank, h.channel_id) AS place
        FROM candidates x JOIN people p USING (person_id) JOIN notification_channels h USING (person_id)
        WHERE p.active AND h.enabled
    ), chosen AS (
        SELECT DISTINCT r.notification_id, r.person_id, r.channel_id, r.kind
        FROM reachable r JOIN told t USING (notification_id)
        WHERE r.place = 1 AND (t.urgent OR r.turn = (
            SELECT min(f.turn) FROM reachable f WHERE f.notification_id = r.notification_id))
        UNION ALL
        SELECT t.notification_id, NULL, h.channel_id, h.kind
        FROM told t JOIN notification_channels h ON h.org_id = t.org_id AND h.enabled
    )
    INSERT INTO notifications (dedup_key, case_id, order_id, org_id, person_id, kind, words, urgent, channel, channel_id,
                               language, title, body, created_at, wake_at)
    SELECT t.dedup_key || '/channel/' || x.channel_id, t.case_id, t.order_id, t.org_id, x.person_id, t.kind, t.words,
           t.urgent, x.kind, x.channel_id, t.language, t.title, t.body, t.created_at, clock_timestamp() + interval '60 s'
    FROM chosen x JOIN told t USING (notification_id)
    ON CONFLICT (dedup_key) DO NOTHING
    RETURNING notifications.notification_id, notifications.channel_id, notifications.urgent
$$;
REVOKE ALL ON FUNCTION address_notifications(bigint[], text[], uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION address_notifications(bigint[], text[], uuid[]) TO watchkeep_dispatch, watchkeep_console;

-- Who takes a step on a case has read and acted on what told of it.
CREATE FUNCTION note_acted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE notifications
    SET acted_at = NEW.at, read_at = coalesce(read_at, NEW.at), fallback_at = NULL
    WHERE case_id = NEW.case_id AND person_id = NEW.person_id AND acted_at IS NULL;
    RETURN NULL;
END
$$;
CREATE TRIGGER note_acted AFTER INSERT ON transitions FOR EACH ROW
    WHEN (NEW.person_id IS NOT NULL) EXECUTE FUNCTION note_acted();

DROP POLICY mine ON notification_channels;
CREATE POLICY mine ON notification_channels TO watchkeep_console USING (
    person_id = my_person() OR org_id = ANY ((SELECT my_organisations())::text[]));
GRANT SELECT (person_id, kind, rank, quiet_hours, language, per_minute) ON notification_channels TO watchkeep_console;
