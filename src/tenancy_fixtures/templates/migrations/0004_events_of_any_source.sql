-- Events of any source: by its own ids, with visitors, sessions and page views, and in a partition for each month. Rows that are
-- there go into the default partition; the next load that has events of their months moves them.

ALTER TABLE users DROP CONSTRAINT users_handle_check, ADD CONSTRAINT users_handle_check CHECK (char_length(handle) BETWEEN 1 AND 255);

ALTER TABLE segment_members ALTER COLUMN joined_at DROP NOT NULL;

ALTER TABLE analytics_events RENAME TO analytics_events_before;
ALTER TABLE analytics_events_before
    DROP CONSTRAINT analytics_events_pkey,
    DROP CONSTRAINT analytics_events_user_id_fkey,
    DROP CONSTRAINT analytics_events_session_id_fkey;
DROP INDEX analytics_events_name_idx;
DROP INDEX analytics_events_user_id_idx;
DROP INDEX analytics_events_session_id_idx;

CREATE TABLE analytics_visitors (
    visitor_id text    NOT NULL,
    user_id    uuid,
    is_stale   boolean NOT NULL DEFAULT true,
    CONSTRAINT analytics_visitors_pkey PRIMARY KEY (visitor_id),
    CONSTRAINT analytics_visitors_user_id_fkey FOREIGN KEY (user_id) REFERENCES users ON DELETE SET NULL
);
CREATE INDEX analytics_visitors_user_id_idx ON analytics_visitors (user_id);
CREATE INDEX analytics_visitors_is_stale_idx ON analytics_visitors (visitor_id) WHERE is_stale;
COMMENT ON TABLE analytics_visitors IS 'Whose events were reported: browsers and devices, before and after somebody signs in.';
COMMENT ON COLUMN analytics_visitors.visitor_id IS '[personal] The source''s own id of the browser or device.';
COMMENT ON COLUMN analytics_visitors.user_id IS 'Who it was when it was last known.';
COMMENT ON COLUMN analytics_visitors.is_stale IS 'There are events that the sessions do not count yet.';

CREATE TABLE analytics_events (
    event_id      text        NOT NULL DEFAULT gen_random_uuid()::text,
    name          text        NOT NULL,
    visitor_id    text,
    user_id       uuid,
    session_key   text,
    session_id    uuid,
    occurred_at   timestamptz NOT NULL,
    received_at   timestamptz,
    page_url      text,
    referrer      text,
    client_ip     text,
    user_agent    text,
    properties    jsonb       NOT NULL DEFAULT '{}',
    context       jsonb,
    CONSTRAINT analytics_events_pkey PRIMARY KEY (event_id, occurred_at),
    CONSTRAINT analytics_events_visitor_id_fkey FOREIGN KEY (visitor_id) REFERENCES analytics_visitors ON DELETE CASCADE,
    CONSTRAINT analytics_events_user_id_fkey FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE,
    CONSTRAINT analytics_events_session_id_fkey FOREIGN KEY (session_id) REFERENCES ai_sessions ON DELETE SET NULL
) PARTITION BY RANGE (occurred_at);
CREATE INDEX analytics_events_name_idx ON analytics_events (name, occurred_at);
CREATE INDEX analytics_events_visitor_id_idx ON analytics_events (visitor_id, occurred_at);
CREATE INDEX analytics_events_user_id_idx ON analytics_events (user_id, occurred_at);
CREATE INDEX analytics_events_session_id_idx ON analytics_events (session_id) WHERE session_id IS NOT NULL;
COMMENT ON TABLE analytics_events IS 'Things that happened, as they were reported. A partition for each month; loads make them.';
COMMENT ON COLUMN analytics_events.event_id IS 'The source''s own id. It is one of a kind in the table; a primary key of partitions must hold the time as well.';
COMMENT ON COLUMN analytics_events.visitor_id IS '[personal] The browser or device.';
COMMENT ON COLUMN analytics_events.session_id IS 'The conversation with a model that it belongs to.';
COMMENT ON COLUMN analytics_events.session_key IS 'The source''s own id of the session, where it has one.';
COMMENT ON COLUMN analytics_events.page_url IS '[personal] Address of the page, with whatever is in its query.';
COMMENT ON COLUMN analytics_events.referrer IS '[personal] Address of the page before.';
COMMENT ON COLUMN analytics_events.client_ip IS '[personal] Address that the event came from, as the source writes it: parts may be masked.';
COMMENT ON COLUMN analytics_events.user_agent IS '[personal] What the browser says that it is.';
COMMENT ON COLUMN analytics_events.properties IS '[personal] What else is said of the event.';
COMMENT ON COLUMN analytics_events.context IS '[personal] What is said of the circumstances: device, place, campaign.';

CREATE TABLE analytics_events_other PARTITION OF analytics_events DEFAULT;
COMMENT ON TABLE analytics_events_other IS 'Events of times that have no partition of their own.';

INSERT INTO analytics_events (event_id, name, user_id, session_id, occurred_at, client_ip, properties)
SELECT event_id::text, name, user_id, session_id, occurred_at, host(client_ip), properties FROM analytics_events_before;
DROP TABLE analytics_events_before;

CREATE TABLE analytics_event_contexts (
    event_id text  NOT NULL,
    name     text  NOT NULL,
    data     jsonb NOT NULL,
    CONSTRAINT analytics_event_contexts_pkey PRIMARY KEY (event_id, name)
);
COMMENT ON TABLE analytics_event_contexts IS 'What other files say of events; either may be there first.';
COMMENT ON COLUMN analytics_event_contexts.data IS '[personal] As the source has it.';

CREATE TABLE analytics_sessions (
    visitor_id      text        NOT NULL,
    session_key     text        NOT NULL,
    user_id         uuid,
    started_at      timestamptz NOT NULL,
    ended_at        timestamptz NOT NULL,
    events          integer,
    page_views      integer,
    engaged_seconds integer,
    first_page      text,
    last_page       text,
    referrer        text,
    details         jsonb       NOT NULL DEFAULT '{}',
    is_derived      boolean     NOT NULL DEFAULT false,
    CONSTRAINT analytics_sessions_pkey PRIMARY KEY (visitor_id, session_key),
    CONSTRAINT analytics_sessions_visitor_id_fkey FOREIGN KEY (visitor_id) REFERENCES analytics_visitors ON DELETE CASCADE,
    CONSTRAINT analytics_sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users ON DELETE SET NULL,
    CONSTRAINT analytics_sessions_ended_at_check CHECK (ended_at >= started_at)
);
CREATE INDEX analytics_sessions_user_id_idx ON analytics_sessions (user_id);
CREATE INDEX analytics_sessions_started_at_idx ON analytics_sessions (started_at);
COMMENT ON TABLE analytics_sessions IS '[personal] Visits: events of one visitor that belong together.';
COMMENT ON COLUMN analytics_sessions.session_key IS 'The source''s own id; where it has none, when the session began. A new one begins after 30 minutes without an event.';
COMMENT ON COLUMN analytics_sessions.engaged_seconds IS 'How long somebody was there, as the source measured it.';
COMMENT ON COLUMN analytics_sessions.is_derived IS 'Computed of events here, and computed again when more of them come; otherwise as a file has it.';

CREATE TABLE analytics_page_views (
    page_view_id    text        NOT NULL,
    visitor_id      text        NOT NULL,
    session_key     text,
    user_id         uuid,
    page_url        text,
    started_at      timestamptz NOT NULL,
    ended_at        timestamptz,
    engaged_seconds integer,
    details         jsonb       NOT NULL DEFAULT '{}',
    CONSTRAINT analytics_page_views_pkey PRIMARY KEY (page_view_id),
    CONSTRAINT analytics_page_views_visitor_id_fkey FOREIGN KEY (visitor_id) REFERENCES analytics_visitors ON DELETE CASCADE,
    CONSTRAINT analytics_page_views_user_id_fkey FOREIGN KEY (user_id) REFERENCES users ON DELETE SET NULL,
    CONSTRAINT analytics_page_views_ended_at_check CHECK (ended_at >= started_at)
);
CREATE INDEX analytics_page_views_visitor_id_idx ON analytics_page_views (visitor_id, started_at);
CREATE INDEX analytics_page_views_user_id_idx ON analytics_page_views (user_id);
COMMENT ON TABLE analytics_page_views IS '[personal] Pages that were looked at, as a model of the source has summed them up.';
