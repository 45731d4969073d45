-- The same kernel, where a dead letter may hold the character NUL.

-- Puts dead letters back to their lanes, spread evenly over a time. Attempts count from the beginning.
CREATE OR REPLACE FUNCTION kernel_redrive(
    p_tenant text, p_target text, p_code text, p_dead bigint, p_limit bigint, p_spread_ms bigint, p_now_ms bigint
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    letters kernel_dead[];
    letter kernel_dead;
    said json;
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
            -- JSON may say NUL, and what reads it here may not; a space is as long, whatever stands before it.
            said := replace(letter.envelope, '\u0000', '\u0020')::json;
            INSERT INTO kernel_event (id, service, type, tenant, time_ms, is_event, blob, envelope)
            VALUES (said ->> 'id', letter.service, said ->> 'type', letter.tenant, (said ->> 'time_ms')::bigint, 0, letter.blob,
                    letter.envelope)
            RETURNING event INTO number;
            PERFORM kernel_place(number, letter.service, letter.target, letter.tenant,
                CASE WHEN due > p_now_ms THEN letter.key || '@dead-' || letter.dead ELSE letter.key END, due, false);
        END IF;
        DELETE FROM kernel_dead WHERE dead = letter.dead;
        due := due + step;
    END LOOP;
    RETURN cardinality(letters);
END $$;
