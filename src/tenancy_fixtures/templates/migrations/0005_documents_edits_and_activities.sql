-- Documents that a workspace writes together, the edits that comments and documents came about by, and what other services tell.
-- Sources do not always say when something began. Invitations may come from elsewhere, without the digest of a token; comments may be on a document, or on the workspace itself.

ALTER TABLE workspaces ALTER COLUMN created_at DROP NOT NULL;
ALTER TABLE members ALTER COLUMN joined_at DROP NOT NULL;
ALTER TABLE comments ALTER COLUMN created_at DROP NOT NULL;
ALTER TABLE workflows ALTER COLUMN created_at DROP NOT NULL;
ALTER TABLE invitations ALTER COLUMN token_sha256 DROP NOT NULL;
COMMENT ON COLUMN invitations.token_sha256 IS 'Digest of the token in the link; the token itself is not stored. Null where the invitation comes from elsewhere.';

CREATE TABLE documents (
    document_id  uuid        NOT NULL DEFAULT gen_random_uuid(),
    workspace_id uuid        NOT NULL,
    author_id    uuid,
    title        text,
    body         text        NOT NULL,
    created_at   timestamptz          DEFAULT now(),
    edited_at    timestamptz,
    CONSTRAINT documents_pkey PRIMARY KEY (document_id),
    CONSTRAINT documents_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces ON DELETE CASCADE,
    CONSTRAINT documents_author_id_fkey FOREIGN KEY (author_id) REFERENCES users ON DELETE SET NULL
);
CREATE INDEX documents_workspace_id_idx ON documents (workspace_id, created_at);
CREATE INDEX documents_author_id_idx ON documents (author_id);
COMMENT ON TABLE documents IS 'Texts that a workspace writes together.';
COMMENT ON COLUMN documents.document_id IS 'Loaded documents: version 5 uuid of kind document, made of the workspace and the source''s own id.';
COMMENT ON COLUMN documents.body IS '[personal] What the authors wrote.';

ALTER TABLE comments
    DROP CONSTRAINT comments_subject_check,
    ADD COLUMN document_id uuid,
    ADD CONSTRAINT comments_document_id_fkey FOREIGN KEY (document_id) REFERENCES documents ON DELETE CASCADE,
    ADD CONSTRAINT comments_subject_check CHECK (num_nonnulls(playlist_id, content_id, document_id) <= 1);
CREATE INDEX comments_document_id_idx ON comments (document_id) WHERE document_id IS NOT NULL;
COMMENT ON TABLE comments IS 'Remarks on a playlist, on generated content or on a document; on the workspace itself where none is named.';
COMMENT ON COLUMN comments.comment_id IS 'Loaded comments: version 5 uuid of kind comment, made of the workspace and the source''s own id.';

CREATE TABLE edits (
    stream       text        NOT NULL,
    number       bigint      NOT NULL,
    previous     bigint,
    workspace_id uuid        NOT NULL,
    object_kind  text        NOT NULL,
    object_id    uuid        NOT NULL,
    operation    text        NOT NULL,
    body         text,
    author_id    uuid,
    made_at      timestamptz NOT NULL,
    is_applied   boolean     NOT NULL DEFAULT false,
    CONSTRAINT edits_pkey PRIMARY KEY (stream, number),
    CONSTRAINT edits_previous_fkey FOREIGN KEY (stream, previous) REFERENCES edits,
    CONSTRAINT edits_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces ON DELETE CASCADE,
    CONSTRAINT edits_author_id_fkey FOREIGN KEY (author_id) REFERENCES users ON DELETE SET NULL,
    CONSTRAINT edits_number_check CHECK (number > 0),
    CONSTRAINT edits_previous_check CHECK (previous = number - 1 OR (previous IS NULL AND number = 1)),
    CONSTRAINT edits_object_kind_check CHECK (object_kind IN ('comment', 'document')),
    CONSTRAINT edits_operation_check CHECK (operation IN ('insert', 'replace', 'delete')),
    CONSTRAINT edits_body_check CHECK ((body IS NULL) = (operation = 'delete'))
);
CREATE INDEX edits_object_id_idx ON edits (object_id, number);
CREATE INDEX edits_workspace_id_idx ON edits (workspace_id);
CREATE INDEX edits_author_id_idx ON edits (author_id);
CREATE INDEX edits_is_applied_idx ON edits (object_id) WHERE NOT is_applied;
COMMENT ON TABLE edits IS 'What was done to comments and documents, in the order of each stream; none is missing in between.';
COMMENT ON COLUMN edits.number IS 'Counts from 1 in the stream.';
COMMENT ON COLUMN edits.previous IS 'The edit before: it must be there.';
COMMENT ON COLUMN edits.body IS '[personal] What was written.';
COMMENT ON COLUMN edits.is_applied IS 'The comment or document shows it, or a later one.';

CREATE TABLE activities (
    activity_id uuid        NOT NULL DEFAULT gen_random_uuid(),
    source      text        NOT NULL,
    event       text        NOT NULL,
    action      text,
    actor       text,
    object      text,
    target      text,
    occurred_at timestamptz,
    payload     jsonb       NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT activities_pkey PRIMARY KEY (activity_id)
);
CREATE INDEX activities_target_idx ON activities (target, occurred_at);
CREATE INDEX activities_event_idx ON activities (event, action);
COMMENT ON TABLE activities IS 'What other services told that somebody did.';
COMMENT ON COLUMN activities.activity_id IS 'Loaded activities: version 5 uuid of kind activity, made of the whole payload.';
COMMENT ON COLUMN activities.event IS 'What kind of thing it was done to: issues, push.';
COMMENT ON COLUMN activities.actor IS '[personal] Who did it, as the other service calls them.';
COMMENT ON COLUMN activities.object IS 'Which of them: a title, a name or a number.';
COMMENT ON COLUMN activities.target IS 'Where: a repository, an organization.';
COMMENT ON COLUMN activities.occurred_at IS 'Null where the payload does not say.';
COMMENT ON COLUMN activities.payload IS '[personal] The whole of it, without secrets.';
