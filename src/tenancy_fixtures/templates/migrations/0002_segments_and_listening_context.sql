-- Segments get their members, listening its context, users the time they were last seen; content may be a cover's brief.
-- New columns are nullable and without default: no table is rewritten.

ALTER TABLE users ADD COLUMN last_seen_at timestamptz;
CREATE INDEX users_last_seen_at_idx ON users (last_seen_at);
COMMENT ON COLUMN users.last_seen_at IS 'Last request of the user; null: not since this is recorded.';

ALTER TABLE listening_history ADD COLUMN platform text, ADD COLUMN skipped boolean;
COMMENT ON COLUMN listening_history.platform IS 'Kind of device; null where it is not known.';
COMMENT ON COLUMN listening_history.skipped IS 'The user went on before the end; null where it is not known.';

ALTER TABLE generated_content
    DROP CONSTRAINT generated_content_kind_check,
    ADD CONSTRAINT generated_content_kind_check CHECK (kind IN ('playlist', 'description', 'caption', 'summary', 'cover_brief'));

CREATE TABLE segment_members (
    segment_id uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    score      real,
    joined_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT segment_members_pkey PRIMARY KEY (segment_id, user_id),
    CONSTRAINT segment_members_segment_id_fkey FOREIGN KEY (segment_id) REFERENCES segments ON DELETE CASCADE,
    CONSTRAINT segment_members_user_id_fkey FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE
);
CREATE INDEX segment_members_user_id_idx ON segment_members (user_id);
COMMENT ON TABLE segment_members IS 'Who is in a segment.';
COMMENT ON COLUMN segment_members.score IS 'How well the user fits; null in segments made by hand.';
