-- Which runs and modes are the best on a prompt set and a target, by a metric?
--
-- :metric      what is ranked, the highest first, of times the shortest [one of: avg_tokens_per_second,
--              median_tokens_per_second, avg_decode_tokens_per_second, acceptance_rate, avg_acceptance_rate,
--              mean_acceptance_length, speedup, avg_time_to_first_token, avg_time_to_last_token]
--              [default: avg_tokens_per_second]
-- :prompt_set  name of the prompt set; NULL for each of them [default: null]
-- :target      name or path of the target; NULL for each of them [default: null]
-- :mode        the mode; NULL for all but control
--              [one of: target_only, spec_base, spec_lora, control] [default: null]
-- :limit       how many places to show of each prompt set and target; -1 for all [default: 10]
--
-- Places are counted among runs with the same prompts of one prompt set, one target (by content), the same max_tokens and
-- temperature; other settings may differ (speclora compare says which). Machines differ, and so hostname is shown. From the
-- summaries of benches that have ended, those in the trash left out. value is the metric's; speedup is avg_tokens_per_second over the run's own target_only.
WITH
measured AS (
    SELECT
        r.id AS run_id,
        r.name,
        r.started_at_ms,
        s.mode,
        ps.name AS prompt_set,
        ps.sha256 AS prompt_set_sha256,
        s.num_prompts,
        (
            SELECT group_concat(p.prompt_id)
            FROM (SELECT prompt_id FROM run_prompts WHERE run_id = r.id ORDER BY prompt_id) AS p
        ) AS prompt_ids,
        coalesce(m.name, rm.path) AS target,
        m.sha256 AS target_sha256,
        max_tokens.number AS max_tokens,
        temperature.number AS temperature,
        CASE s.mode WHEN 'spec_lora' THEN r.checkpoint_id END AS checkpoint_id,
        e.hostname,
        CASE :metric
            WHEN 'avg_tokens_per_second' THEN s.avg_tokens_per_second
            WHEN 'median_tokens_per_second' THEN s.median_tokens_per_second
            WHEN 'avg_decode_tokens_per_second' THEN s.avg_decode_tokens_per_second
            WHEN 'acceptance_rate' THEN s.acceptance_rate
            WHEN 'avg_acceptance_rate' THEN s.avg_acceptance_rate
            WHEN 'mean_acceptance_length' THEN s.mean_acceptance_length
            WHEN 'speedup' THEN s.avg_tokens_per_second / baseline.avg_tokens_per_second
            WHEN 'avg_time_to_first_token' THEN s.avg_time_to_first_token
            WHEN 'avg_time_to_last_token' THEN s.avg_time_to_last_token
        END AS value
    FROM mode_summaries AS s
    JOIN runs AS r ON r.id = s.run_id
    JOIN prompt_sets AS ps ON ps.id = r.prompt_set_id
    JOIN environments AS e ON e.id = r.environment_id
    JOIN run_models AS rm ON rm.run_id = r.id AND rm.role = 'target'
    JOIN models AS m ON m.id = rm.model_id
    LEFT JOIN mode_summaries AS baseline ON baseline.run_id = r.id AND baseline.mode = 'target_only'
    LEFT JOIN run_settings AS max_tokens ON max_tokens.run_id = r.id AND max_tokens.key = 'max_tokens'
    LEFT JOIN run_settings AS temperature ON temperature.run_id = r.id AND temperature.key = 'temperature'
    WHERE r.kind = 'bench' AND r.deleted_at_ms IS NULL
        AND (:prompt_set IS NULL OR ps.name = :prompt_set)
        AND (:target IS NULL OR :target IN (m.name, rm.path))
        AND (s.mode = :mode OR (:mode IS NULL AND s.mode <> 'control'))
),
placed AS (
    SELECT
        *,
        rank() OVER (
            PARTITION BY prompt_set_sha256, target_sha256, prompt_ids, num_prompts, max_tokens, temperature
            ORDER BY CASE WHEN :metric LIKE 'avg_time_to_%' THEN value ELSE -value END
        ) AS place
    FROM measured
    WHERE value IS NOT NULL
)
SELECT
    place,
    value,
    run_id,
    name,
    mode,
    prompt_set,
    target,
    num_prompts,
    CAST(max_tokens AS INTEGER) AS max_tokens,
    temperature,
    checkpoint_id,
    hostname,
    strftime('%Y-%m-%dT%H:%M:%SZ', started_at_ms / 1000, 'unixepoch') AS started_at
FROM placed
WHERE :limit < 0 OR place <= :limit
ORDER BY
    prompt_set, prompt_set_sha256, target, target_sha256, num_prompts, prompt_ids, max_tokens, temperature,
    place, run_id, mode;
