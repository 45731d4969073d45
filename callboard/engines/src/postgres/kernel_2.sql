-- The same kernel with less to do: a run that moves touches no index, a commit runs one function with few statements, and a
-- claim does not wait for the disk.

-- When a run ended for good. The index before was on a column that every move changes.
ALTER TABLE kernel_flow ADD COLUMN ended_ms bigint;
UPDATE kernel_flow SET ended_ms = changed_ms WHERE status IN ('completed', 'undone');
DROP INDEX kernel_flow_ended;
CREATE INDEX kernel_flow_ended ON kernel_flow (ended_ms) WHERE ended_ms IS NOT NULL;
-- Room for the next state beside the one before.
ALTER TABLE kernel_flow SET (fillfactor = 50);

-- Takes the heads of lanes that are due. Targets take turns, so one with a long queue does not keep the others waiting. The last row
-- has no lane: its number is the time at which to look again.
CREATE OR REPLACE FUNCTION kernel_claim(p_limit bigint, p_of_target bigint, p_busy text[], p_now_ms bigint, p_until_ms bigint)
RETURNS TABLE (o_lane bigint, o_seq bigint, o_epoch bigint, o_attempts bigint, o_target text, o_envelope text)
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    waiting text[] := '{}';
    dues bigint[] := '{}';
    one text := '';
    due bigint;
    quota bigint;
    taken bigint := 0;
    count bigint;
    next bigint;
BEGIN
    -- Until the transaction ends. Where the server stops before the claim is on the disk, the message is due as it was, and whoever
    -- had it can settle it only if nobody else has: its commit waits for the disk.
    PERFORM set_config('synchronous_commit', 'off', true);
    LOOP
        SELECT l.target, l.due_ms INTO one, due FROM kernel_lane l
        WHERE l.due_ms IS NOT NULL AND l.target > one ORDER BY l.target, l.due_ms LIMIT 1;
        EXIT WHEN NOT FOUND;
        IF due <= p_now_ms AND one <> ALL (p_busy) THEN
            waiting := waiting || one;
            dues := dues || due;
        END IF;
    END LOOP;
    IF cardinality(waiting) > 1 THEN
        SELECT array_agg(w.target ORDER BY w.due_ms) INTO waiting FROM unnest(waiting, dues) AS w (target, due_ms);
    END IF;
    FOR turn IN 1..2 LOOP
        -- First its share for everybody, then what is left for whoever has more.
        quota := least(p_of_target, greatest(1, p_limit / greatest(1, cardinality(waiting))));
        IF turn = 2 THEN quota := p_of_target - quota; END IF;
        FOREACH one IN ARRAY waiting LOOP
            EXIT WHEN taken >= p_limit OR quota <= 0;
            RETURN QUERY WITH got AS (
                UPDATE kernel_lane l SET due_ms = p_until_ms, epoch = l.epoch + 1, attempts = l.attempts + 1
                WHERE l.lane = ANY (ARRAY(
                    SELECT d.lane FROM kernel_lane d WHERE d.target = one AND d.due_ms <= p_now_ms
                    ORDER BY d.due_ms LIMIT least(quota, p_limit - taken) FOR UPDATE SKIP LOCKED))
                RETURNING l.lane, l.head, l.epoch, l.attempts, l.target)
            SELECT g.lane, g.head, g.epoch, g.attempts, g.target, e.envelope FROM got g
            JOIN kernel_message m ON m.lane = g.lane AND m.seq = g.head JOIN kernel_event e ON e.event = m.event;
            GET DIAGNOSTICS count = ROW_COUNT;
            taken := taken + count;
        END LOOP;
    END LOOP;
    one := '';
    LOOP
        SELECT l.target, l.due_ms INTO one, due FROM kernel_lane l
        WHERE l.due_ms IS NOT NULL AND l.target > one ORDER BY l.target, l.due_ms LIMIT 1;
        EXIT WHEN NOT FOUND;
        IF one <> ALL (p_busy) THEN next := least(next, due); END IF;
    END LOOP;
    o_seq := next;
    RETURN NEXT;
END $$;

-- The last step of a commit: settles what it answers, stores its messages and queues them. Lanes are touched in the order of
-- their names, in which the caller gives them, so that no two commits wait for each other. An error where the claim is somebody
-- else's by now: the COMMIT may be on its way already.
CREATE OR REPLACE FUNCTION kernel_finish(
    p_now_ms bigint, p_lane bigint, p_seq bigint, p_epoch bigint,
    p_ids text[], p_services text[], p_types text[], p_tenants text[], p_times bigint[], p_are_events bigint[],
    p_blobs text[], p_envelopes text[],
    p_of bigint[], p_for text[], p_targets text[], p_keys text[], p_due bigint[], p_sole boolean[]
) RETURNS void LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    numbers bigint[] := '{}';
    number bigint;
    place bigint;
    last int := cardinality(p_of);
    own kernel_lane;
    is_settled boolean := p_lane IS NULL;
    is_missed boolean := false;
BEGIN
    FOR i IN 1..cardinality(p_ids) LOOP
        INSERT INTO kernel_event (id, service, type, tenant, time_ms, is_event, blob, envelope)
        VALUES (p_ids[i], p_services[i], p_types[i], p_tenants[i], p_times[i], p_are_events[i], p_blobs[i], p_envelopes[i])
        RETURNING event INTO number;
        numbers[i] := number;
    END LOOP;
    IF NOT is_settled THEN
        SELECT * INTO own FROM kernel_lane WHERE lane = p_lane;
        IF NOT FOUND THEN RAISE EXCEPTION 'the message was settled by somebody else' USING ERRCODE = 'CB001'; END IF;
    END IF;
    FOR i IN 1..last + 1 LOOP
        IF NOT is_settled AND (i > last
            OR (p_targets[i] COLLATE "C", p_tenants[p_of[i]] COLLATE "C", p_keys[i] COLLATE "C") >= (own.target, own.tenant, own.key))
        THEN
            DELETE FROM kernel_lane WHERE lane = p_lane AND head = p_seq AND epoch = p_epoch AND tail = p_seq + 1;
            IF NOT FOUND THEN
                UPDATE kernel_lane SET head = head + 1, attempts = 0, is_held = 0, due_ms = p_now_ms
                WHERE lane = p_lane AND head = p_seq AND epoch = p_epoch;
                IF NOT FOUND THEN RAISE EXCEPTION 'the message was settled by somebody else' USING ERRCODE = 'CB001'; END IF;
            END IF;
            DELETE FROM kernel_message WHERE lane = p_lane AND seq = p_seq RETURNING event INTO number;
            DELETE FROM kernel_event WHERE event = number AND is_event = 0;
            is_settled := true;
        END IF;
        EXIT WHEN i > last;
        number := NULL;
        IF p_sole[i] THEN
            INSERT INTO kernel_lane (service, target, tenant, key, head, tail, due_ms)
            VALUES (p_for[i], p_targets[i], p_tenants[p_of[i]], p_keys[i], 1, 2, p_due[i])
            ON CONFLICT (target, tenant, key) DO NOTHING RETURNING lane, tail - 1 INTO number, place;
        ELSE
            INSERT INTO kernel_lane AS l (service, target, tenant, key, head, tail, due_ms)
            VALUES (p_for[i], p_targets[i], p_tenants[p_of[i]], p_keys[i], 1, 2, p_due[i])
            ON CONFLICT (target, tenant, key) DO UPDATE SET tail = l.tail + 1,
                due_ms = CASE WHEN l.is_held = 1 THEN NULL ELSE coalesce(l.due_ms, excluded.due_ms) END
            RETURNING l.lane, l.tail - 1 INTO number, place;
        END IF;
        IF number IS NULL THEN
            is_missed := true;
        ELSE
            INSERT INTO kernel_message (lane, seq, event) VALUES (number, place, numbers[p_of[i]]);
        END IF;
    END LOOP;
    IF is_missed THEN
        DELETE FROM kernel_event e WHERE e.event = ANY (numbers) AND e.is_event = 0
            AND NOT EXISTS (SELECT 1 FROM kernel_message m WHERE m.event = e.event);
    END IF;
END $$;
