-- What each view and column of schema wall means: for people who write panels of their own, and for the data dictionary.
-- depends: 20261124950000_pauses_and_answers

DO $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT * FROM (VALUES
        ('community', 'Communities with the subdistrict and the property company behind them.'),
        ('dead_letter', 'Messages that could not be read, without their bytes.'),
        ('device_clock', 'How far the clocks of devices behind a gateway are off, as measured last.'),
        ('equipment', 'Equipment in the register, but what was retired. Two of the same name carry their id behind it.'),
        ('escalation', 'Clocks of orders that ran short or out, and to which party that was told; tests and recorded data are not in it.'),
        ('fleet', 'Points per community and kind of equipment.'),
        ('gap', 'Runs of messages that a gateway sent and the database does not have.'),
        ('gateway', 'Gateways that may connect, with what is known of their connection.'),
        ('ingest_account', 'Accounts of ingest: each difference is 0 at any moment, else something is wrong with Watchkeep itself.'),
        ('ingest_lane', 'The newest batch of each lane and partition.'),
        ('ledger', 'Cases that wait in the ledger (挂账), as they cannot be solved now.'),
        ('order_fact', 'Lead orders as the indicators see them now: the figures of companies are counts over these rows.'),
        ('point_latest', 'The newest good value of each point of the last 26 hours; a point without one has a row too.'),
        ('point_limit', 'Limits of points that are switched on.'),
        ('queue', 'What waits inside the platform, one row per queue.'),
        ('ranking', 'Red and grey lists that were published, as corrected by appeals that were upheld.'),
        ('warning', 'Warnings; those of recorded data are not in it.'),
        ('work_order', 'Orders with the clock that runs; those of recorded data are not in it.')) AS v (view, meaning)
    LOOP
        EXECUTE format('COMMENT ON VIEW wall.%I IS %L', one.view, one.meaning);
    END LOOP;

    -- '*': in every view that has the column and says nothing else of it.
    FOR one IN
        WITH told (view, name, meaning) AS (VALUES
            ('*', 'community_id', 'Id of the community.'),
            ('*', 'equipment_id', 'Id of the equipment within its community.'),
            ('*', 'equipment_zh', 'Name of the equipment in Chinese; its id where the register does not know it.'),
            ('*', 'equipment_en', 'Name of the equipment in English, else in Chinese.'),
            ('*', 'gateway_id', 'Id of the gateway within its community.'),
            ('*', 'kind', 'Kind of equipment, as in the vocabulary.'),
            ('*', 'metric', 'What is measured, as in the vocabulary.'),
            ('*', 'condition', 'What is wrong, as in the vocabulary.'),
            ('*', 'class', 'A urgent, B major, C common.'),
            ('*', 'life_safety', 'A person''s life may be in danger.'),
            ('*', 'order_id', 'Id of the order.'),
            ('*', 'case_id', 'Id of the case: page /cases/… of the console.'),
            ('*', 'org_id', 'Id of the responsible organisation.'),
            ('*', 'organisation_zh', 'Name of the responsible organisation in Chinese.'),
            ('*', 'organisation_en', 'Name of the responsible organisation in English, else in Chinese.'),
            ('*', 'dispatched_at', 'When the order was given.'),
            ('*', 'respond_due', 'When it must be answered at the latest; null = no such clock.'),
            ('*', 'arrive_due', 'When somebody must be there at the latest; null = no such clock.'),
            ('*', 'finish_due', 'When it must be finished at the latest; null = no such clock.'),
            ('*', 'responded_at', 'When it was answered.'),
            ('*', 'arrived_at', 'When somebody was there.'),
            ('*', 'finished_at', 'When the work was reported as done.'),
            ('*', 'closed_at', 'When the order ended; null = open.'),
            ('*', 'lane', 'data or event.'),
            ('*', 'partition', 'Partition of the community, 0 to 15.'),
            ('*', 'committed_at', 'When the batch was committed.'),
            ('*', 'area_id', 'Id of the area.'),
            ('*', 'skew_ms', 'By how many milliseconds the clock is behind the server''s; negative = ahead.'),
            ('*', 'clock', 'respond, arrive or finish.'),

            ('community', 'name_zh', 'Name in Chinese.'),
            ('community', 'name_en', 'Name in English, else in Chinese.'),
            ('community', 'area_zh', 'Name of the area in Chinese.'),
            ('community', 'area_en', 'Name of the area in English, else in Chinese.'),
            ('community', 'company_zh', 'Name of the property company in Chinese; empty = none.'),
            ('community', 'company_en', 'Name of the property company in English, else in Chinese; empty = none.'),
            ('community', 'mode', 'live, or replay: recorded data, whose cases notify nobody.'),
            ('community', 'households', 'Number of households.'),

            ('dead_letter', 'dead_letter_id', 'Id.'),
            ('dead_letter', 'received_at', 'When the message came in.'),
            ('dead_letter', 'reason', 'Why it could not be taken.'),
            ('dead_letter', 'community_id', 'Id of the community, where the topic told it.'),
            ('dead_letter', 'gateway_id', 'Id of the gateway, where the topic told it.'),
            ('dead_letter', 'replayed', 'It was taken in later: nothing is left to do.'),

            ('device_clock', 'measured_at', 'When the offset was measured.'),

            ('equipment', 'name_zh', 'Name in Chinese.'),
            ('equipment', 'name_en', 'Name in English, else in Chinese.'),
            ('equipment', 'status', 'in_service, out_of_service, or unclaimed: it sends and is not in the register.'),
            ('equipment', 'building', 'Name of the building; empty = none.'),
            ('equipment', 'level', 'Storey: 1 = ground floor, -1 = first basement.'),
            ('equipment', 'maker', 'Maker.'),
            ('equipment', 'model', 'Model.'),
            ('equipment', 'installed_on', 'Day of installation.'),

            ('escalation', 'level', '0 = time runs short (yellow card), from 1 on it has run out.'),
            ('escalation', 'to_party', 'Party that was told, never a person.'),
            ('escalation', 'due_at', 'When the clock runs or ran out.'),
            ('escalation', 'fired_at', 'When it was told.'),
            ('escalation', 'open', 'The order is still open.'),

            ('fleet', 'points', 'Number of points.'),
            ('fleet', 'connected', 'How many of them a gateway has.'),
            ('fleet', 'equipment', 'Number of pieces of equipment with points.'),

            ('gap', 'state', 'missing = may still come, lost = never will.'),
            ('gap', 'messages', 'Number of messages in a row.'),
            ('gap', 'updated_at', 'When the account of that gateway changed last.'),

            ('gateway', 'name', 'Name, else the id.'),
            ('gateway', 'online', 'Connected to the broker.'),
            ('gateway', 'online_since', 'When it connected last.'),
            ('gateway', 'offline_since', 'When it was lost last.'),
            ('gateway', 'last_message_at', 'When its last message came in.'),
            ('gateway', 'points', 'Number of points that it declares.'),

            ('ingest_account', 'received', 'Messages: all.'),
            ('ingest_account', 'processed', 'Messages: taken in.'),
            ('ingest_account', 'duplicate', 'Messages: had been taken in before.'),
            ('ingest_account', 'dead_lettered', 'Messages: could not be read.'),
            ('ingest_account', 'decoded', 'Readings and events of processed messages: all.'),
            ('ingest_account', 'stored', 'Of these: in the series.'),
            ('ingest_account', 'quarantined', 'Of these: with impossible times.'),
            ('ingest_account', 'parked', 'Of these: set aside until the reason is gone.'),
            ('ingest_account', 'late', 'Of the stored: behind the newest of their series.'),
            ('ingest_account', 'messages_difference', 'Messages that are unaccounted for: 0.'),
            ('ingest_account', 'readings_difference', 'Readings and events that are unaccounted for: 0.'),

            ('ingest_lane', 'batch', 'Number of the batch.'),
            ('ingest_lane', 'max_ts', 'Device time of its newest row.'),

            ('ledger', 'entry_id', 'Id of the entry.'),
            ('ledger', 'entered_at', 'When it was entered.'),
            ('ledger', 'due_on', 'Day by which it shall be settled; null = none is set.'),

            ('order_fact', 'party', 'Kind of organisation, as in the vocabulary.'),
            ('order_fact', 'due_at', 'The deadline by which it counts: finish_due, else respond_due, else the dispatch.'),
            ('order_fact', 'ended', 'open, else the state in which the order ended.'),
            ('order_fact', 'counts', 'False for what the rates leave out: returned, withdrawn, in the ledger, paused.'),
            ('order_fact', 'on_time', 'Finished in time, and not sent back.'),

            ('point_latest', 'unit', 'Unit of the value.'),
            ('point_latest', 'gateway_id', 'Gateway that has the point; null = not connected.'),
            ('point_latest', 'ts', 'Device time of the value.'),
            ('point_latest', 'value', 'The value; of states their code.'),

            ('point_limit', 'condition', 'Condition that is warned of.'),
            ('point_limit', 'side', 'above, below or equals: which values are wrong.'),
            ('point_limit', 'value', 'The limit, in the unit of the metric.'),
            ('point_limit', 'tier', 'notice, warning or alarm.'),

            ('queue', 'queue', 'Which queue.'),
            ('queue', 'waiting', 'How many wait.'),
            ('queue', 'oldest_at', 'Since when the oldest waits; null = nothing waits, or no time is kept.'),

            ('ranking', 'ranking_id', 'Id of the list.'),
            ('ranking', 'scheme', 'Scheme of scores by which it was made.'),
            ('ranking', 'since', 'Begin of the period.'),
            ('ranking', 'until', 'End of the period.'),
            ('ranking', 'area_id', 'Area whose organisations it ranks; null = the whole city.'),
            ('ranking', 'published_at', 'When it was published.'),
            ('ranking', 'subject_id', 'Id of the organisation.'),
            ('ranking', 'name', 'Name of the organisation.'),
            ('ranking', 'score', 'Score.'),
            ('ranking', 'band', 'Band of the score.'),
            ('ranking', 'list', 'red, grey, none, or not_ranked: too few cases.'),
            ('ranking', 'position', 'Place; null = not ranked.'),
            ('ranking', 'cases', 'Number of cases behind the score.'),

            ('warning', 'warning_id', 'Id of the warning: page /warnings/… of the console.'),
            ('warning', 'tier', 'warning or alarm.'),
            ('warning', 'class', 'Proposed class: A urgent, B major, C common; the responsibility list decides.'),
            ('warning', 'status', 'open or cleared.'),
            ('warning', 'event_at', 'When it happened, by the device''s clock.'),
            ('warning', 'detected_at', 'When it was detected.'),
            ('warning', 'cleared_at', 'When it was over.'),
            ('warning', 'sentence_zh', 'What is wrong, as a sentence in Chinese.'),
            ('warning', 'sentence_en', 'What is wrong, as a sentence in English.'),

            ('work_order', 'state', 'State in the life cycle.'),
            ('work_order', 'lead', 'The order that answers for its case; of several there is one.'),
            ('work_order', 'clock', 'The clock that is due first: respond, arrive or finish; null = none runs.'),
            ('work_order', 'due_at', 'When that clock runs out.'),
            ('work_order', 'overdue', 'That clock has run out.'),
            ('work_order', 'clock_state', 'running, short (its yellow card is out) or overdue; null = no clock runs.'))
        SELECT DISTINCT ON (c.table_name, c.column_name) c.table_name AS view, c.column_name AS name, t.meaning
        FROM information_schema.columns c JOIN told t ON t.name = c.column_name AND t.view IN (c.table_name, '*')
        WHERE c.table_schema = 'wall'
        ORDER BY c.table_name, c.column_name, t.view = '*'
    LOOP
        EXECUTE format('COMMENT ON COLUMN wall.%I.%I IS %L', one.view, one.name, one.meaning);
    END LOOP;
END
$$;

COMMENT ON FUNCTION wall.series(text[], text[], text[], timestamptz, timestamptz, text[], interval) IS
    'Values over time of the points of these communities, kinds, metrics (and pieces of equipment): raw, per minute or per hour by the length of the span.';
