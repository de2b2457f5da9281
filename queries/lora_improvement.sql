-- How much did the adapter gain over the draft as it is, run by run?
--
-- :limit  how many runs to show, the newest first; -1 for all [default: 20]
--
-- Runs that have ended and measured both spec_base and spec_lora, those in the trash left out. From the summaries that a run
-- stores when it ends (view mode_metrics), so that no generation is read:
--   tokens_per_second_gain  relative change of avg_tokens_per_second over spec_base (0.15 for +15 %)
--   acceptance_rate_gain    avg_acceptance_rate minus that of spec_base (0.14 for +14 pp)
--   …_speedup               avg_tokens_per_second over that of target_only; NULL where the run has no target_only
SELECT
    r.id AS run_id,
    r.name,
    strftime('%Y-%m-%dT%H:%M:%SZ', r.started_at_ms / 1000, 'unixepoch') AS started_at,
    ps.name AS prompt_set,
    lora.num_prompts,
    r.checkpoint_id,
    c.source AS adapter_source,
    base.avg_tokens_per_second AS base_tokens_per_second,
    lora.avg_tokens_per_second AS lora_tokens_per_second,
    lora.avg_tokens_per_second / base.avg_tokens_per_second - 1 AS tokens_per_second_gain,
    base.avg_acceptance_rate AS base_acceptance_rate,
    lora.avg_acceptance_rate AS lora_acceptance_rate,
    lora.avg_acceptance_rate - base.avg_acceptance_rate AS acceptance_rate_gain,
    base.avg_tokens_per_second / target.avg_tokens_per_second AS base_speedup,
    lora.avg_tokens_per_second / target.avg_tokens_per_second AS lora_speedup
FROM runs AS r
JOIN mode_summaries AS lora ON lora.run_id = r.id AND lora.mode = 'spec_lora'
JOIN mode_summaries AS base ON base.run_id = r.id AND base.mode = 'spec_base'
JOIN prompt_sets AS ps ON ps.id = r.prompt_set_id
LEFT JOIN mode_summaries AS target ON target.run_id = r.id AND target.mode = 'target_only'
LEFT JOIN checkpoints AS c ON c.id = r.checkpoint_id
WHERE r.deleted_at_ms IS NULL
ORDER BY r.id DESC
LIMIT :limit;
