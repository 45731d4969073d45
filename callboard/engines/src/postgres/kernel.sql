-- The delivery kernel: events, lanes, messages, dead letters and runs of flows. Services never see these tables.
CREATE TABLE kernel_event (
    event bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The transaction that stored it: numbers of events are given before their transactions end, in any order.
    xact bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    id text COLLATE "C" NOT NULL,
    service text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    time_ms bigint NOT NULL,
    is_event bigint NOT NULL,
    blob text COLLATE "C",
    envelope text COLLATE "C" NOT NULL
);
CREATE INDEX kernel_event_age ON kernel_event (service, type, time_ms) WHERE is_event = 1;
CREATE INDEX kernel_event_log ON kernel_event (xact) WHERE is_event = 1;
CREATE INDEX kernel_event_blob ON kernel_event (blob) WHERE blob IS NOT NULL;

-- A lane is FIFO; head is the next message, tail the next free place. A taken lane is due again when its lease ends, and its
-- epoch says who has it. A held lane waits for an operator: its due_ms is NULL although there are messages.
CREATE TABLE kernel_lane (
    lane bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    service text COLLATE "C" NOT NULL,
    target text COLLATE "C" NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    head bigint NOT NULL,
    tail bigint NOT NULL,
    due_ms bigint,
    epoch bigint NOT NULL DEFAULT 0,
    attempts bigint NOT NULL DEFAULT 0,
    is_held bigint NOT NULL DEFAULT 0,
    UNIQUE (target, tenant, key)
);
CREATE INDEX kernel_lane_due ON kernel_lane (target, due_ms) WHERE due_ms IS NOT NULL;

CREATE TABLE kernel_message (
    lane bigint NOT NULL,
    seq bigint NOT NULL,
    event bigint NOT NULL,
    PRIMARY KEY (lane, seq)
);
CREATE INDEX kernel_message_event ON kernel_message (event);

-- Where a dead letter holds its lane, its message is still there, under lane and seq.
CREATE TABLE kernel_dead (
    dead bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    service text COLLATE "C" NOT NULL,
    target text COLLATE "C" NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    attempts bigint NOT NULL,
    code text COLLATE "C" NOT NULL,
    message text COLLATE "C" NOT NULL,
    died_ms bigint NOT NULL,
    lane bigint,
    seq bigint,
    blob text COLLATE "C",
    envelope text COLLATE "C" NOT NULL
);
CREATE INDEX kernel_dead_target ON kernel_dead (target);
CREATE INDEX kernel_dead_blob ON kernel_dead (blob) WHERE blob IS NOT NULL;

CREATE TABLE kernel_stale (lane bigint NOT NULL, seq bigint NOT NULL, epoch bigint NOT NULL, at_ms bigint NOT NULL);

-- Keys under which a message may come again, with what was answered.
CREATE TABLE kernel_once (
    tenant text COLLATE "C" NOT NULL,
    principal text COLLATE "C" NOT NULL,
    target text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    input text COLLATE "C" NOT NULL,
    answer text COLLATE "C",
    at_ms bigint NOT NULL,
    PRIMARY KEY (tenant, principal, target, key)
);
CREATE INDEX kernel_once_age ON kernel_once (at_ms);

CREATE TABLE kernel_flow (
    run text COLLATE "C" PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    flow text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    state text COLLATE "C" NOT NULL,
    started_ms bigint NOT NULL,
    changed_ms bigint NOT NULL,
    UNIQUE (tenant, flow, key)
);
CREATE INDEX kernel_flow_ended ON kernel_flow (changed_ms) WHERE status IN ('completed', 'undone');

CREATE TABLE kernel_flow_event (
    run text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    at_ms bigint NOT NULL,
    event text COLLATE "C" NOT NULL,
    PRIMARY KEY (run, version)
);

-- Runs of flows that take turns at an entity, from their start to their end.
CREATE TABLE kernel_flow_turn (
    tenant text COLLATE "C" NOT NULL,
    flow text COLLATE "C" NOT NULL,
    entity text COLLATE "C" NOT NULL,
    run text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, flow, entity, run)
);

-- Every target that has a lane with a time, and the earliest of these times: one step through the index for each.
CREATE FUNCTION kernel_waiting() RETURNS TABLE (o_target text, o_due_ms bigint) LANGUAGE sql
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
    WITH RECURSIVE step AS (
        (SELECT target, due_ms FROM kernel_lane WHERE due_ms IS NOT NULL ORDER BY target, due_ms LIMIT 1)
        UNION ALL
        SELECT next.target, next.due_ms FROM step CROSS JOIN LATERAL (
            SELECT l.target, l.due_ms FROM kernel_lane l
            WHERE l.due_ms IS NOT NULL AND l.target > step.target ORDER BY l.target, l.due_ms LIMIT 1) next)
    SELECT target, due_ms FROM step
$$;

-- Takes the heads of lanes that are due. Targets take turns, so one with a long queue does not keep the others waiting.
CREATE FUNCTION kernel_claim(p_limit bigint, p_of_target bigint, p_busy text[], p_now_ms bigint, p_until_ms bigint)
RETURNS TABLE (o_lane bigint, o_seq bigint, o_epoch bigint, o_attempts bigint, o_target text, o_envelope text)
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    waiting text[];
    one text;
    quota bigint;
    taken bigint := 0;
    count bigint;
BEGIN
    SELECT coalesce(array_agg(w.o_target ORDER BY w.o_due_ms), '{}') INTO waiting
    FROM kernel_waiting() w WHERE w.o_due_ms <= p_now_ms AND w.o_target <> ALL (p_busy);
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
END $$;

-- Removes the message at the head of its lane; false where it is not there any more, or taken by somebody else.
CREATE FUNCTION kernel_settle(p_lane bigint, p_seq bigint, p_epoch bigint, p_now_ms bigint) RETURNS boolean
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    last bigint;
    number bigint;
BEGIN
    SELECT tail INTO last FROM kernel_lane
    WHERE lane = p_lane AND head = p_seq AND (p_epoch IS NULL OR epoch = p_epoch) FOR UPDATE;
    IF NOT FOUND THEN RETURN false; END IF;
    DELETE FROM kernel_message WHERE lane = p_lane AND seq = p_seq RETURNING event INTO number;
    DELETE FROM kernel_event WHERE event = number AND is_event = 0;
    IF last = p_seq + 1 THEN
        DELETE FROM kernel_lane WHERE lane = p_lane;
    ELSE
        UPDATE kernel_lane SET head = head + 1, attempts = 0, is_held = 0, due_ms = p_now_ms WHERE lane = p_lane;
    END IF;
    RETURN true;
END $$;

-- Puts a stored message at the end of a lane; false where the lane takes only one and has it. A held lane stays held.
CREATE FUNCTION kernel_place(
    p_event bigint, p_service text, p_target text, p_tenant text, p_key text, p_due_ms bigint, p_is_sole boolean
) RETURNS boolean LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    number bigint;
    place bigint;
BEGIN
    IF p_is_sole THEN
        INSERT INTO kernel_lane (service, target, tenant, key, head, tail, due_ms)
        VALUES (p_service, p_target, p_tenant, p_key, 1, 2, p_due_ms)
        ON CONFLICT (target, tenant, key) DO NOTHING RETURNING lane, tail - 1 INTO number, place;
    ELSE
        INSERT INTO kernel_lane AS l (service, target, tenant, key, head, tail, due_ms)
        VALUES (p_service, p_target, p_tenant, p_key, 1, 2, p_due_ms)
        ON CONFLICT (target, tenant, key) DO UPDATE SET tail = l.tail + 1,
            due_ms = CASE WHEN l.is_held = 1 THEN NULL ELSE coalesce(l.due_ms, excluded.due_ms) END
        RETURNING l.lane, l.tail - 1 INTO number, place;
    END IF;
    IF number IS NULL THEN RETURN false; END IF;
    INSERT INTO kernel_message (lane, seq, event) VALUES (number, place, p_event);
    RETURN true;
END $$;

-- The last step of a commit: settles what it answers, stores its messages and queues them. Lanes are touched in the order of
-- their names, whoever commits, so that no two commits wait for each other. An error where the claim is somebody else's by now:
-- the COMMIT may be on its way already.
CREATE FUNCTION kernel_finish(
    p_now_ms bigint, p_lane bigint, p_seq bigint, p_epoch bigint,
    p_ids text[], p_services text[], p_types text[], p_tenants text[], p_times bigint[], p_are_events bigint[],
    p_blobs text[], p_envelopes text[],
    p_of bigint[], p_for text[], p_targets text[], p_keys text[], p_due bigint[], p_sole boolean[]
) RETURNS void LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    numbers bigint[];
    one record;
    is_settled boolean := p_lane IS NULL;
    is_missed boolean := false;
BEGIN
    IF cardinality(p_ids) > 0 THEN
        WITH stored AS (
            INSERT INTO kernel_event (id, service, type, tenant, time_ms, is_event, blob, envelope)
            SELECT n.id, n.service, n.type, n.tenant, n.time_ms, n.is_event, n.blob, n.envelope
            FROM unnest(p_ids, p_services, p_types, p_tenants, p_times, p_are_events, p_blobs, p_envelopes)
                WITH ORDINALITY AS n (id, service, type, tenant, time_ms, is_event, blob, envelope, place)
            ORDER BY n.place RETURNING event)
        SELECT array_agg(event ORDER BY event) INTO numbers FROM stored;
    END IF;
    FOR one IN
        SELECT l.target, l.tenant, l.key, 0 AS turn, NULL::bigint AS event, NULL AS service, NULL::bigint AS due_ms,
               false AS is_sole
        FROM kernel_lane l WHERE l.lane = p_lane
        UNION ALL
        SELECT n.target, p_tenants[n.message], n.key, n.place, numbers[n.message], n.service, n.due_ms, n.is_sole
        FROM unnest(p_of, p_for, p_targets, p_keys, p_due, p_sole)
            WITH ORDINALITY AS n (message, service, target, key, due_ms, is_sole, place)
        ORDER BY 1, 2, 3, 4
    LOOP
        IF one.turn = 0 THEN
            is_settled := kernel_settle(p_lane, p_seq, p_epoch, p_now_ms);
        ELSIF NOT kernel_place(one.event, one.service, one.target, one.tenant, one.key, one.due_ms, one.is_sole) THEN
            is_missed := true;
        END IF;
    END LOOP;
    IF is_missed THEN
        DELETE FROM kernel_event e WHERE e.event = ANY (numbers) AND e.is_event = 0
            AND NOT EXISTS (SELECT 1 FROM kernel_message m WHERE m.event = e.event);
    END IF;
    IF NOT is_settled THEN
        RAISE EXCEPTION 'the message was settled by somebody else' USING ERRCODE = 'CB001';
    END IF;
END $$;

-- Makes a dead letter of a taken message. Where its lane is held the message stays in it, and the lane waits.
CREATE FUNCTION kernel_bury(
    p_lane bigint, p_seq bigint, p_epoch bigint, p_code text, p_message text, p_hold boolean, p_now_ms bigint
) RETURNS boolean LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    PERFORM 1 FROM kernel_lane WHERE lane = p_lane AND head = p_seq AND epoch = p_epoch FOR UPDATE;
    IF NOT FOUND THEN RETURN false; END IF;
    INSERT INTO kernel_dead (service, target, tenant, key, attempts, code, message, died_ms, lane, seq, blob, envelope)
    SELECT l.service, l.target, l.tenant, l.key, l.attempts, p_code, p_message, p_now_ms,
           CASE WHEN p_hold THEN l.lane END, CASE WHEN p_hold THEN m.seq END, e.blob, e.envelope
    FROM kernel_lane l JOIN kernel_message m ON m.lane = l.lane AND m.seq = l.head JOIN kernel_event e ON e.event = m.event
    WHERE l.lane = p_lane;
    IF p_hold THEN
        UPDATE kernel_lane SET due_ms = NULL, is_held = 1, epoch = epoch + 1 WHERE lane = p_lane;
        RETURN true;
    END IF;
    RETURN kernel_settle(p_lane, p_seq, p_epoch, p_now_ms);
END $$;

-- Dead letters that match, the oldest first, for whoever takes them out.
CREATE FUNCTION kernel_letters(p_tenant text, p_target text, p_code text, p_dead bigint, p_limit bigint)
RETURNS SETOF kernel_dead LANGUAGE sql AS $$
    SELECT * FROM kernel_dead WHERE (p_tenant IS NULL OR tenant = p_tenant) AND (p_target IS NULL OR target = p_target)
        AND (p_code IS NULL OR code = p_code) AND (p_dead IS NULL OR dead = p_dead)
    ORDER BY dead LIMIT p_limit FOR UPDATE SKIP LOCKED
$$;

-- Puts dead letters back to their lanes, spread evenly over a time. Attempts count from the beginning.
CREATE FUNCTION kernel_redrive(
    p_tenant text, p_target text, p_code text, p_dead bigint, p_limit bigint, p_spread_ms bigint, p_now_ms bigint
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    letters kernel_dead[];
    letter kernel_dead;
    step bigint;
    due bigint := p_now_ms;
    number bigint;
BEGIN
    SELECT coalesce(array_agg(k ORDER BY k.dead), '{}') INTO letters
    FROM kernel_letters(p_tenant, p_target, p_code, p_dead, p_limit) k;
    step := greatest(p_spread_ms, 0) / greatest(cardinality(letters), 1);
    FOREACH letter IN ARRAY letters LOOP
        IF letter.lane IS NOT NULL THEN
            UPDATE kernel_lane SET due_ms = due, is_held = 0, attempts = 0 WHERE lane = letter.lane;
        ELSE
            INSERT INTO kernel_event (id, service, type, tenant, time_ms, is_event, blob, envelope)
            VALUES (letter.envelope::json ->> 'id', letter.service, letter.envelope::json ->> 'type', letter.tenant,
                    (letter.envelope::json ->> 'time_ms')::bigint, 0, letter.blob, letter.envelope)
            RETURNING event INTO number;
            PERFORM kernel_place(number, letter.service, letter.target, letter.tenant,
                CASE WHEN due > p_now_ms THEN letter.key || '@dead-' || letter.dead ELSE letter.key END, due, false);
        END IF;
        DELETE FROM kernel_dead WHERE dead = letter.dead;
        due := due + step;
    END LOOP;
    RETURN cardinality(letters);
END $$;

-- Removes dead letters; lanes they held go on with the next message.
CREATE FUNCTION kernel_discard(
    p_tenant text, p_target text, p_code text, p_dead bigint, p_limit bigint, p_now_ms bigint
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    letters kernel_dead[];
    letter kernel_dead;
BEGIN
    SELECT coalesce(array_agg(k ORDER BY k.dead), '{}') INTO letters
    FROM kernel_letters(p_tenant, p_target, p_code, p_dead, p_limit) k;
    FOREACH letter IN ARRAY letters LOOP
        IF letter.lane IS NOT NULL THEN
            PERFORM kernel_settle(letter.lane, letter.seq, NULL, p_now_ms);
        END IF;
        DELETE FROM kernel_dead WHERE dead = letter.dead;
    END LOOP;
    RETURN cardinality(letters);
END $$;
