-- Which models did a run use?
--
-- :run_id  the run
SELECT
    r.role,
    r.path,
    m.name,
    m.format,
    m.family,
    m.quantization,
    m.num_parameters,
    m.num_layers,
    m.hidden_size,
    m.vocab_size,
    m.context_length,
    m.size_bytes,
    m.sha256,
    m.tokenizer_sha256
FROM run_models AS r
JOIN models AS m ON m.id = r.model_id
WHERE r.run_id = :run_id
ORDER BY r.role DESC;
