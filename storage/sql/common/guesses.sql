-- name: count_guess
INSERT INTO guesses (subject, empty_at, last_at, alarmed_at)
VALUES (:subject, CAST(:at AS BIGINT) + CAST(:interval AS BIGINT), :at, NULL)
ON CONFLICT (subject) DO UPDATE SET
    empty_at = CASE
        WHEN guesses.empty_at < excluded.last_at THEN excluded.empty_at
        WHEN guesses.empty_at > excluded.last_at + CAST(:most AS BIGINT) THEN guesses.empty_at
        ELSE guesses.empty_at + CAST(:interval AS BIGINT)
    END,
    last_at = CASE WHEN guesses.last_at > excluded.last_at THEN guesses.last_at ELSE excluded.last_at END;

-- name: alarm_of_guess
UPDATE guesses SET alarmed_at = CAST(:at AS BIGINT)
WHERE subject = :subject
    AND empty_at > CAST(:at AS BIGINT) + CAST(:full AS BIGINT)
    AND (alarmed_at IS NULL OR alarmed_at < CAST(:at AS BIGINT) - CAST(:quiet AS BIGINT));

-- name: guess
SELECT subject, empty_at FROM guesses WHERE subject = :subject;

-- name: guesses_since
SELECT subject, empty_at FROM guesses
WHERE last_at >= CAST(:since AS BIGINT) AND empty_at > CAST(:now AS BIGINT)
ORDER BY last_at
LIMIT 10000;

-- name: forget_guesses
DELETE FROM guesses WHERE last_at < CAST(:before AS BIGINT) AND empty_at < CAST(:before AS BIGINT);
