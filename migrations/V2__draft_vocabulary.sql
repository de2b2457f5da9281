-- From which tokens a run's draft proposed, beside those of the text at hand. A run without a row: from all.
--
-- `blob_id` has the token ids as little-endian u32, each once, in the order in which they were chosen: special tokens,
-- those that were most frequent in stored outputs, those of the list of frequent tokens, the lowest ids.
CREATE TABLE run_draft_vocabularies (
    run_id           INTEGER PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    blob_id          INTEGER NOT NULL REFERENCES blobs (id) ON DELETE RESTRICT,
    num_tokens       INTEGER NOT NULL CHECK (num_tokens >= 1),
    num_special      INTEGER NOT NULL CHECK (num_special >= 0),
    num_from_outputs INTEGER NOT NULL CHECK (num_from_outputs >= 0),
    num_from_list    INTEGER NOT NULL CHECK (num_from_list >= 0),
    num_from_lowest  INTEGER NOT NULL CHECK (num_from_lowest >= 0),
    CHECK (num_special + num_from_outputs + num_from_list + num_from_lowest = num_tokens)
) STRICT;
CREATE INDEX run_draft_vocabularies_by_blob ON run_draft_vocabularies (blob_id);

PRAGMA user_version = 2;
