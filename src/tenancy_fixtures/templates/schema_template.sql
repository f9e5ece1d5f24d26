-- The head of a tenant's schema: a Spotify AI agent.
--
-- Names are unqualified: the script runs with the tenant's schema as its whole search_path, inside a transaction that
-- is not its own. Every object it makes is also made by the revisions in migrations/, in the same order of columns.
-- No extension, trigger or function is needed, so it runs on any PostgreSQL from 15 on, sharded by schema or not.
-- A comment that starts with [personal] marks a column that tells something about a living person.

-- People ---------------------------------------------------------------------------------------------------------

CREATE TABLE users (
    user_id      uuid        NOT NULL DEFAULT gen_random_uuid(),
    handle       text        NOT NULL,
    email        text,
    display_name text        NOT NULL,
    country      text,
    locale       text        NOT NULL DEFAULT 'en',
    birth_date   date,
    plan         text        NOT NULL DEFAULT 'free',
    is_active    boolean     NOT NULL DEFAULT true,
    settings     jsonb       NOT NULL DEFAULT '{}',
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz,
    CONSTRAINT users_pkey PRIMARY KEY (user_id),
    CONSTRAINT users_handle_key UNIQUE (handle),
    CONSTRAINT users_handle_check CHECK (char_length(handle) BETWEEN 1 AND 255),
    CONSTRAINT users_email_check CHECK (email LIKE '%_@_%' AND char_length(email) <= 320),
    CONSTRAINT users_country_check CHECK (country ~ '^[A-Z]{2}$'),
    CONSTRAINT users_plan_check CHECK (plan IN ('free', 'premium', 'family', 'student'))
);
CREATE UNIQUE INDEX users_email_key ON users (lower(email));
CREATE INDEX users_last_seen_at_idx ON users (last_seen_at);
COMMENT ON TABLE users IS 'People who listen and work in this tenant.';
COMMENT ON COLUMN users.user_id IS 'Seeded users: version 5 uuid of kind user, made of the handle.';
COMMENT ON COLUMN users.handle IS '[personal] Name by which the user is addressed; unique in the tenant.';
COMMENT ON COLUMN users.email IS '[personal] Address to write to; unique without regard to case. Null where only the handle is known.';
COMMENT ON COLUMN users.display_name IS '[personal] Name as shown to others.';
COMMENT ON COLUMN users.country IS 'ISO 3166-1 alpha-2.';
COMMENT ON COLUMN users.birth_date IS '[personal] Day of birth, where given.';
COMMENT ON COLUMN users.settings IS 'Preferences of the user interface.';
COMMENT ON COLUMN users.last_seen_at IS 'Last request of the user; null: not since this is recorded.';

CREATE TABLE spotify_connections (
    connection_id    uuid        NOT NULL DEFAULT gen_random_uuid(),
    user_id          uuid        NOT NULL,
    spotify_user_id  text        NOT NULL,
    scopes           text[]      NOT NULL DEFAULT '{}',
    secret_ref       text        NOT NULL,
    token_expires_at timestamptz NOT NULL,
    connected_at     timestamptz NOT NULL DEFAULT now(),
    revoked_at       timestamptz,
    CONSTRAINT spotify_connections_pkey PRIMARY KEY (connection_id),
    CONSTRAINT spotify_connections_user_id_key UNIQUE (user_id),
    CONSTRAINT spotify_connections_spotify_user_id_key UNIQUE (spotify_user_id),
    CONSTRAINT spotify_connections_user_id_fkey FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE
);
COMMENT ON TABLE spotify_connections IS 'A user''s consent to act for them at Spotify.';
COMMENT ON COLUMN spotify_connections.spotify_user_id IS '[personal] The user''s id at Spotify.';
COMMENT ON COLUMN spotify_connections.secret_ref IS 'Where the secret store keeps the tokens; the tokens themselves are never stored here.';

-- Catalogue ------------------------------------------------------------------------------------------------------

CREATE TABLE artists (
    artist_id  uuid        NOT NULL,
    name       text        NOT NULL,
    spotify_id text,
    genres     text[]      NOT NULL DEFAULT '{}',
    popularity smallint,
    followers  integer,
    country    text,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT artists_pkey PRIMARY KEY (artist_id),
    CONSTRAINT artists_name_key UNIQUE (name),
    CONSTRAINT artists_name_check CHECK (char_length(name) BETWEEN 1 AND 500),
    CONSTRAINT artists_popularity_check CHECK (popularity BETWEEN 0 AND 100),
    CONSTRAINT artists_followers_check CHECK (followers >= 0),
    CONSTRAINT artists_country_check CHECK (country ~ '^[A-Z]{2}$')
);
CREATE INDEX artists_spotify_id_idx ON artists (spotify_id);
CREATE INDEX artists_genres_idx ON artists USING gin (genres);
COMMENT ON TABLE artists IS 'Performers, one row for each name.';
COMMENT ON COLUMN artists.artist_id IS 'Version 5 uuid of kind artist, made of the name, so that every load gives an artist the same id.';
COMMENT ON COLUMN artists.spotify_id IS 'An id at Spotify; artist_ids has all that were met.';
COMMENT ON COLUMN artists.popularity IS 'Spotify''s popularity, 0 to 100.';

CREATE TABLE albums (
    album_id     uuid        NOT NULL,
    artist_id    uuid,
    title        text        NOT NULL,
    album_type   text        NOT NULL DEFAULT 'album',
    release_date date,
    total_tracks smallint,
    label        text,
    spotify_id   text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT albums_pkey PRIMARY KEY (album_id),
    CONSTRAINT albums_artist_id_title_key UNIQUE (artist_id, title),
    CONSTRAINT albums_artist_id_fkey FOREIGN KEY (artist_id) REFERENCES artists,
    CONSTRAINT albums_title_check CHECK (char_length(title) BETWEEN 1 AND 500),
    CONSTRAINT albums_album_type_check CHECK (album_type IN ('album', 'single', 'compilation')),
    CONSTRAINT albums_total_tracks_check CHECK (total_tracks > 0)
);
CREATE INDEX albums_spotify_id_idx ON albums (spotify_id);
COMMENT ON TABLE albums IS 'Releases of an artist.';
COMMENT ON COLUMN albums.album_id IS 'Version 5 uuid of kind album, made of the artist''s name, or where it is not known of the Spotify id, and the title.';
COMMENT ON COLUMN albums.artist_id IS 'Null where the source does not say.';
COMMENT ON COLUMN albums.spotify_id IS 'An id at Spotify; album_ids has all that were met.';

CREATE TABLE tracks (
    track_id       text        NOT NULL,
    title          text        NOT NULL,
    artist_id      uuid,
    album_id       uuid,
    duration_ms    integer,
    explicit       boolean,
    isrc           text,
    popularity     smallint,
    track_number   smallint,
    release_year   smallint,
    release_decade smallint,
    created_at     timestamptz NOT NULL DEFAULT now(),
    disc_number    smallint,
    streams        bigint,
    tags           text[],
    CONSTRAINT tracks_pkey PRIMARY KEY (track_id),
    CONSTRAINT tracks_artist_id_fkey FOREIGN KEY (artist_id) REFERENCES artists,
    CONSTRAINT tracks_album_id_fkey FOREIGN KEY (album_id) REFERENCES albums ON DELETE SET NULL,
    CONSTRAINT tracks_track_id_check CHECK (char_length(track_id) IN (22, 36)),
    CONSTRAINT tracks_title_check CHECK (char_length(title) BETWEEN 1 AND 500),
    CONSTRAINT tracks_duration_ms_check CHECK (duration_ms > 0),
    CONSTRAINT tracks_isrc_check CHECK (char_length(isrc) = 12),
    CONSTRAINT tracks_popularity_check CHECK (popularity BETWEEN 0 AND 100),
    CONSTRAINT tracks_track_number_check CHECK (track_number > 0),
    CONSTRAINT tracks_release_decade_check CHECK (release_decade % 10 = 0)
);
CREATE INDEX tracks_artist_id_idx ON tracks (artist_id);
CREATE INDEX tracks_album_id_idx ON tracks (album_id, track_number);
CREATE INDEX tracks_title_lower_idx ON tracks (lower(title) text_pattern_ops);
COMMENT ON TABLE tracks IS 'Recordings, by their Spotify id, or by artist and title where there is none.';
COMMENT ON COLUMN tracks.track_id IS 'The 22 characters of spotify:track:…; without them a version 5 uuid of kind track, made of artist and title.';
COMMENT ON COLUMN tracks.artist_id IS 'The first artist; null where the source does not say. track_artists has all.';
COMMENT ON COLUMN tracks.duration_ms IS 'Null where the source does not say.';
COMMENT ON COLUMN tracks.streams IS 'How often it was streamed, as a chart counts.';
COMMENT ON COLUMN tracks.tags IS 'Genres and moods, as the source names them.';
COMMENT ON COLUMN tracks.album_id IS 'Null where the source does not know the album.';
COMMENT ON COLUMN tracks.explicit IS 'Null where the source does not say.';
COMMENT ON COLUMN tracks.isrc IS 'International Standard Recording Code, without hyphens; several tracks may share one.';
COMMENT ON COLUMN tracks.release_decade IS 'First year of the decade, where the source knows no more than that.';

CREATE TABLE audio_features (
    track_id         text             NOT NULL,
    danceability     double precision,
    energy           double precision,
    key              smallint,
    loudness         double precision,
    mode             smallint,
    speechiness      double precision,
    acousticness     double precision,
    instrumentalness double precision,
    liveness         double precision,
    valence          double precision,
    tempo            double precision,
    time_signature   smallint,
    chorus_hit       double precision,
    sections         smallint,
    CONSTRAINT audio_features_pkey PRIMARY KEY (track_id),
    CONSTRAINT audio_features_track_id_fkey FOREIGN KEY (track_id) REFERENCES tracks ON DELETE CASCADE,
    CONSTRAINT audio_features_danceability_check CHECK (danceability BETWEEN 0 AND 1),
    CONSTRAINT audio_features_energy_check CHECK (energy BETWEEN 0 AND 1),
    CONSTRAINT audio_features_key_check CHECK (key BETWEEN -1 AND 11),
    CONSTRAINT audio_features_loudness_check CHECK (loudness BETWEEN -100 AND 20),
    CONSTRAINT audio_features_mode_check CHECK (mode IN (0, 1)),
    CONSTRAINT audio_features_speechiness_check CHECK (speechiness BETWEEN 0 AND 1),
    CONSTRAINT audio_features_acousticness_check CHECK (acousticness BETWEEN 0 AND 1),
    CONSTRAINT audio_features_instrumentalness_check CHECK (instrumentalness BETWEEN 0 AND 1),
    CONSTRAINT audio_features_liveness_check CHECK (liveness BETWEEN 0 AND 1),
    CONSTRAINT audio_features_valence_check CHECK (valence BETWEEN 0 AND 1),
    CONSTRAINT audio_features_tempo_check CHECK (tempo BETWEEN 0 AND 1000),
    CONSTRAINT audio_features_time_signature_check CHECK (time_signature BETWEEN 0 AND 15),
    CONSTRAINT audio_features_chorus_hit_check CHECK (chorus_hit >= 0),
    CONSTRAINT audio_features_sections_check CHECK (sections >= 0)
);
CREATE INDEX audio_features_mood_idx ON audio_features (valence, energy);
COMMENT ON TABLE audio_features IS 'What an analysis of the sound says of a track. Decimals are kept as the source writes them; null where it does not say.';
COMMENT ON COLUMN audio_features.key IS 'Pitch class, 0 is C; -1 where none was found.';
COMMENT ON COLUMN audio_features.loudness IS 'Decibels of full scale: -60 to 0 as a rule; recordings that clip may lie above 0.';
COMMENT ON COLUMN audio_features.mode IS '1 is major, 0 minor.';
COMMENT ON COLUMN audio_features.tempo IS 'Beats per minute; 0 where none was found.';
COMMENT ON COLUMN audio_features.time_signature IS 'Beats in a bar; 0 where none was found.';
COMMENT ON COLUMN audio_features.chorus_hit IS 'Seconds until the chorus begins, by estimate.';
COMMENT ON COLUMN audio_features.sections IS 'Parts that the analysis found.';

CREATE TABLE track_artists (
    track_id  text     NOT NULL,
    position  smallint NOT NULL,
    artist_id uuid     NOT NULL,
    CONSTRAINT track_artists_pkey PRIMARY KEY (track_id, position),
    CONSTRAINT track_artists_track_id_fkey FOREIGN KEY (track_id) REFERENCES tracks ON DELETE CASCADE,
    CONSTRAINT track_artists_artist_id_fkey FOREIGN KEY (artist_id) REFERENCES artists,
    CONSTRAINT track_artists_position_check CHECK (position > 0)
);
CREATE INDEX track_artists_artist_id_idx ON track_artists (artist_id);
COMMENT ON TABLE track_artists IS 'Who performs a track, in the order of the credits.';
COMMENT ON COLUMN track_artists.position IS 'Counts from 1.';

CREATE TABLE artist_ids (
    spotify_id text NOT NULL,
    artist_id  uuid NOT NULL,
    CONSTRAINT artist_ids_pkey PRIMARY KEY (spotify_id),
    CONSTRAINT artist_ids_artist_id_fkey FOREIGN KEY (artist_id) REFERENCES artists ON DELETE CASCADE
);
CREATE INDEX artist_ids_artist_id_idx ON artist_ids (artist_id);
COMMENT ON TABLE artist_ids IS 'Ids at Spotify that were met, and the artist that each stands for.';

CREATE TABLE album_ids (
    spotify_id text NOT NULL,
    album_id   uuid NOT NULL,
    CONSTRAINT album_ids_pkey PRIMARY KEY (spotify_id),
    CONSTRAINT album_ids_album_id_fkey FOREIGN KEY (album_id) REFERENCES albums ON DELETE CASCADE
);
CREATE INDEX album_ids_album_id_idx ON album_ids (album_id);
COMMENT ON TABLE album_ids IS 'Ids at Spotify that were met, and the album that each stands for: its editions have one each.';

CREATE TABLE shows (
    show_id        uuid        NOT NULL,
    kind           text        NOT NULL DEFAULT 'podcast',
    name           text        NOT NULL,
    publisher      text,
    description    text,
    languages      text[],
    explicit       boolean,
    total_episodes integer,
    spotify_id     text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT shows_pkey PRIMARY KEY (show_id),
    CONSTRAINT shows_kind_check CHECK (kind IN ('podcast', 'audiobook')),
    CONSTRAINT shows_name_check CHECK (char_length(name) BETWEEN 1 AND 500),
    CONSTRAINT shows_total_episodes_check CHECK (total_episodes >= 0)
);
CREATE INDEX shows_spotify_id_idx ON shows (spotify_id);
COMMENT ON TABLE shows IS 'Podcasts and audiobooks.';
COMMENT ON COLUMN shows.show_id IS 'Version 5 uuid of kind show, made of the name.';
COMMENT ON COLUMN shows.publisher IS 'Of an audiobook the authors.';

CREATE TABLE episodes (
    episode_id   text        NOT NULL,
    show_id      uuid,
    name         text        NOT NULL,
    description  text,
    duration_ms  integer,
    explicit     boolean,
    language     text,
    release_date date,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT episodes_pkey PRIMARY KEY (episode_id),
    CONSTRAINT episodes_show_id_fkey FOREIGN KEY (show_id) REFERENCES shows ON DELETE CASCADE,
    CONSTRAINT episodes_episode_id_check CHECK (char_length(episode_id) IN (22, 36)),
    CONSTRAINT episodes_name_check CHECK (char_length(name) BETWEEN 1 AND 500),
    CONSTRAINT episodes_duration_ms_check CHECK (duration_ms > 0)
);
CREATE INDEX episodes_show_id_idx ON episodes (show_id, release_date);
COMMENT ON TABLE episodes IS 'Episodes of podcasts and chapters of audiobooks, by their Spotify id, or by show and name where there is none.';
COMMENT ON COLUMN episodes.show_id IS 'Null where the source does not say.';

-- Playlists and listening ----------------------------------------------------------------------------------------

CREATE TABLE playlists (
    playlist_id      uuid        NOT NULL DEFAULT gen_random_uuid(),
    owner_id         uuid        NOT NULL,
    name             text        NOT NULL,
    description      text,
    is_public        boolean     NOT NULL DEFAULT false,
    is_collaborative boolean     NOT NULL DEFAULT false,
    tags             text[]      NOT NULL DEFAULT '{}',
    spotify_id       text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    total_tracks     integer,
    listed_tracks    integer,
    followers        integer,
    modified_at      timestamptz,
    CONSTRAINT playlists_pkey PRIMARY KEY (playlist_id),
    CONSTRAINT playlists_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES users ON DELETE CASCADE,
    CONSTRAINT playlists_name_check CHECK (char_length(name) BETWEEN 1 AND 200),
    CONSTRAINT playlists_total_tracks_check CHECK (total_tracks >= 0),
    CONSTRAINT playlists_listed_tracks_check CHECK (listed_tracks >= 0),
    CONSTRAINT playlists_followers_check CHECK (followers >= 0)
);
CREATE INDEX playlists_owner_id_idx ON playlists (owner_id, name);
CREATE INDEX playlists_spotify_id_idx ON playlists (spotify_id);
COMMENT ON TABLE playlists IS 'Lists of tracks that a user keeps.';
COMMENT ON COLUMN playlists.playlist_id IS 'Seeded playlists: version 5 uuid of kind playlist, made of the owner''s handle and the name.';
COMMENT ON COLUMN playlists.total_tracks IS 'How many entries the source says that it has.';
COMMENT ON COLUMN playlists.listed_tracks IS 'How many entries the source lists.';

CREATE TABLE playlist_tracks (
    playlist_id uuid        NOT NULL,
    position    integer     NOT NULL,
    track_id    text        NOT NULL,
    added_by    uuid,
    added_at    timestamptz          DEFAULT now(),
    CONSTRAINT playlist_tracks_pkey PRIMARY KEY (playlist_id, position),
    CONSTRAINT playlist_tracks_playlist_id_fkey FOREIGN KEY (playlist_id) REFERENCES playlists ON DELETE CASCADE,
    CONSTRAINT playlist_tracks_track_id_fkey FOREIGN KEY (track_id) REFERENCES tracks ON DELETE CASCADE,
    CONSTRAINT playlist_tracks_added_by_fkey FOREIGN KEY (added_by) REFERENCES users ON DELETE SET NULL,
    CONSTRAINT playlist_tracks_position_check CHECK (position > 0)
);
CREATE INDEX playlist_tracks_track_id_idx ON playlist_tracks (track_id);
CREATE INDEX playlist_tracks_added_by_idx ON playlist_tracks (added_by);
COMMENT ON TABLE playlist_tracks IS 'What a playlist holds, in order; a track may stand in it twice.';
COMMENT ON COLUMN playlist_tracks.position IS 'Counts from 1.';
COMMENT ON COLUMN playlist_tracks.added_at IS 'Null where the source does not say.';

CREATE TABLE playlist_episodes (
    playlist_id uuid        NOT NULL,
    position    integer     NOT NULL,
    episode_id  text        NOT NULL,
    added_by    uuid,
    added_at    timestamptz,
    CONSTRAINT playlist_episodes_pkey PRIMARY KEY (playlist_id, position),
    CONSTRAINT playlist_episodes_playlist_id_fkey FOREIGN KEY (playlist_id) REFERENCES playlists ON DELETE CASCADE,
    CONSTRAINT playlist_episodes_episode_id_fkey FOREIGN KEY (episode_id) REFERENCES episodes ON DELETE CASCADE,
    CONSTRAINT playlist_episodes_added_by_fkey FOREIGN KEY (added_by) REFERENCES users ON DELETE SET NULL,
    CONSTRAINT playlist_episodes_position_check CHECK (position > 0)
);
CREATE INDEX playlist_episodes_episode_id_idx ON playlist_episodes (episode_id);
CREATE INDEX playlist_episodes_added_by_idx ON playlist_episodes (added_by);
COMMENT ON TABLE playlist_episodes IS 'Episodes that a playlist holds; positions are counted together with its tracks.';

CREATE TABLE listening_history (
    listen_id    bigint      GENERATED BY DEFAULT AS IDENTITY,
    user_id      uuid        NOT NULL,
    track_id     text        NOT NULL,
    played_at    timestamptz NOT NULL,
    ms_played    integer,
    platform     text,
    skipped      boolean,
    country      text,
    reason_start text,
    reason_end   text,
    shuffle      boolean,
    offline      boolean,
    offline_at   timestamptz,
    incognito    boolean,
    CONSTRAINT listening_history_pkey PRIMARY KEY (listen_id),
    CONSTRAINT listening_history_user_id_played_at_track_id_key UNIQUE (user_id, played_at, track_id),
    CONSTRAINT listening_history_user_id_fkey FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE,
    CONSTRAINT listening_history_track_id_fkey FOREIGN KEY (track_id) REFERENCES tracks ON DELETE CASCADE,
    CONSTRAINT listening_history_ms_played_check CHECK (ms_played >= 0),
    CONSTRAINT listening_history_country_check CHECK (country ~ '^[A-Z]{2}$')
);
CREATE INDEX listening_history_track_id_idx ON listening_history (track_id, played_at);
CREATE INDEX listening_history_played_at_idx ON listening_history USING brin (played_at);
COMMENT ON TABLE listening_history IS '[personal] Who heard what, when and for how long.';
COMMENT ON COLUMN listening_history.played_at IS 'When the stream ended.';
COMMENT ON COLUMN listening_history.platform IS 'Kind of device; null where it is not known.';
COMMENT ON COLUMN listening_history.skipped IS 'The user went on before the end; null where it is not known.';
COMMENT ON COLUMN listening_history.ms_played IS 'Null where the source does not say.';
COMMENT ON COLUMN listening_history.country IS '[personal] Where it was played, ISO 3166-1 alpha-2; null where it is not known.';
COMMENT ON COLUMN listening_history.offline_at IS '[personal] When it was played without a connection.';
COMMENT ON COLUMN listening_history.incognito IS '[personal] Played in a private session.';

CREATE TABLE episode_history (
    listen_id    bigint      GENERATED BY DEFAULT AS IDENTITY,
    user_id      uuid        NOT NULL,
    episode_id   text        NOT NULL,
    played_at    timestamptz NOT NULL,
    ms_played    integer,
    platform     text,
    skipped      boolean,
    country      text,
    reason_start text,
    reason_end   text,
    shuffle      boolean,
    offline      boolean,
    offline_at   timestamptz,
    incognito    boolean,
    CONSTRAINT episode_history_pkey PRIMARY KEY (listen_id),
    CONSTRAINT episode_history_user_id_played_at_episode_id_key UNIQUE (user_id, played_at, episode_id),
    CONSTRAINT episode_history_user_id_fkey FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE,
    CONSTRAINT episode_history_episode_id_fkey FOREIGN KEY (episode_id) REFERENCES episodes ON DELETE CASCADE,
    CONSTRAINT episode_history_ms_played_check CHECK (ms_played >= 0),
    CONSTRAINT episode_history_country_check CHECK (country ~ '^[A-Z]{2}$')
);
CREATE INDEX episode_history_episode_id_idx ON episode_history (episode_id, played_at);
COMMENT ON TABLE episode_history IS '[personal] Who heard which episode or chapter, when and for how long.';
COMMENT ON COLUMN episode_history.country IS '[personal] Where it was played, ISO 3166-1 alpha-2; null where it is not known.';
COMMENT ON COLUMN episode_history.offline_at IS '[personal] When it was played without a connection.';
COMMENT ON COLUMN episode_history.incognito IS '[personal] Played in a private session.';

-- Models, prompts and what they made -----------------------------------------------------------------------------

CREATE TABLE ai_models (
    model_id          uuid        NOT NULL DEFAULT gen_random_uuid(),
    name              text        NOT NULL,
    purpose           text,
    provider          text,
    is_enabled        boolean     NOT NULL DEFAULT false,
    created_at        timestamptz NOT NULL DEFAULT now(),
    task              text,
    architecture      text,
    library           text,
    license           text,
    base_model        text,
    parameter_count   bigint,
    max_input_tokens  bigint,
    max_output_tokens bigint,
    deprecated_on     date,
    CONSTRAINT ai_models_pkey PRIMARY KEY (model_id),
    CONSTRAINT ai_models_name_key UNIQUE (name),
    CONSTRAINT ai_models_purpose_check CHECK (purpose IN ('recommendation', 'generation', 'embedding', 'classification')),
    CONSTRAINT ai_models_name_check CHECK (char_length(name) BETWEEN 1 AND 300),
    CONSTRAINT ai_models_parameter_count_check CHECK (parameter_count >= 0),
    CONSTRAINT ai_models_tokens_check CHECK (max_input_tokens >= 0 AND max_output_tokens >= 0)
);
COMMENT ON TABLE ai_models IS 'Models that are known; the agent may call those that are enabled.';
COMMENT ON COLUMN ai_models.model_id IS 'Loaded models: version 5 uuid of kind ai_model, made of the name.';
COMMENT ON COLUMN ai_models.purpose IS 'Null where the source does not say.';
COMMENT ON COLUMN ai_models.provider IS 'Null where the source does not say.';
COMMENT ON COLUMN ai_models.task IS 'What it is made for, in the source''s own words.';
COMMENT ON COLUMN ai_models.base_model IS 'What it was made from, as its card says.';
COMMENT ON COLUMN ai_models.deprecated_on IS 'From which day on its provider may take it away.';

CREATE TABLE ai_model_versions (
    version_id   uuid          NOT NULL DEFAULT gen_random_uuid(),
    model_id     uuid          NOT NULL,
    version      text          NOT NULL,
    artifact_uri text,
    sha256       text,
    size_bytes   bigint,
    parameters   jsonb         NOT NULL DEFAULT '{}',
    accuracy     real,
    price_per_1k numeric(12,6),
    status       text          NOT NULL DEFAULT 'candidate',
    released_at  timestamptz,
    CONSTRAINT ai_model_versions_pkey PRIMARY KEY (version_id),
    CONSTRAINT ai_model_versions_model_id_version_key UNIQUE (model_id, version),
    CONSTRAINT ai_model_versions_model_id_fkey FOREIGN KEY (model_id) REFERENCES ai_models ON DELETE CASCADE,
    CONSTRAINT ai_model_versions_sha256_check CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    CONSTRAINT ai_model_versions_size_bytes_check CHECK (size_bytes >= 0),
    CONSTRAINT ai_model_versions_accuracy_check CHECK (accuracy BETWEEN 0 AND 1),
    CONSTRAINT ai_model_versions_price_per_1k_check CHECK (price_per_1k >= 0),
    CONSTRAINT ai_model_versions_status_check CHECK (status IN ('candidate', 'active', 'retired'))
);
CREATE UNIQUE INDEX ai_model_versions_active_key ON ai_model_versions (model_id) WHERE status = 'active';
COMMENT ON TABLE ai_model_versions IS 'Versions of a model; at most one of a model is active.';
COMMENT ON COLUMN ai_model_versions.price_per_1k IS 'US dollars for a thousand tokens.';
COMMENT ON COLUMN ai_model_versions.version_id IS 'Loaded versions: version 5 uuid of kind ai_model_version, made of the model''s name and the version.';
COMMENT ON COLUMN ai_model_versions.version IS 'A tag, a commit, an id of a package; main where the source knows one version only.';

CREATE TABLE ai_model_parameters (
    model_id uuid  NOT NULL,
    name     text  NOT NULL,
    value    jsonb NOT NULL,
    CONSTRAINT ai_model_parameters_pkey PRIMARY KEY (model_id, name),
    CONSTRAINT ai_model_parameters_model_id_fkey FOREIGN KEY (model_id) REFERENCES ai_models ON DELETE CASCADE
);
COMMENT ON TABLE ai_model_parameters IS 'What a model''s configuration says.';
COMMENT ON COLUMN ai_model_parameters.name IS 'Path in the configuration: vision_cfg.image_size.';

CREATE TABLE ai_model_capabilities (
    model_id uuid NOT NULL,
    kind     text NOT NULL,
    name     text NOT NULL,
    CONSTRAINT ai_model_capabilities_pkey PRIMARY KEY (model_id, kind, name),
    CONSTRAINT ai_model_capabilities_model_id_fkey FOREIGN KEY (model_id) REFERENCES ai_models ON DELETE CASCADE
);
COMMENT ON TABLE ai_model_capabilities IS 'What a model takes, gives, can do and is described by.';
COMMENT ON COLUMN ai_model_capabilities.kind IS 'input, output, feature, endpoint, region, language, tag, dataset, metric, flavor.';

CREATE TABLE ai_model_prices (
    model_id uuid    NOT NULL,
    name     text    NOT NULL,
    amount   numeric NOT NULL,
    CONSTRAINT ai_model_prices_pkey PRIMARY KEY (model_id, name),
    CONSTRAINT ai_model_prices_model_id_fkey FOREIGN KEY (model_id) REFERENCES ai_models ON DELETE CASCADE,
    CONSTRAINT ai_model_prices_amount_check CHECK (amount >= 0)
);
COMMENT ON TABLE ai_model_prices IS 'What a model costs, in US dollars unless the list says otherwise.';
COMMENT ON COLUMN ai_model_prices.name IS 'The list''s own name, which tells what for: input_cost_per_token.';

CREATE TABLE ai_evaluations (
    version_id uuid             NOT NULL,
    benchmark  text             NOT NULL,
    metric     text             NOT NULL,
    value      double precision NOT NULL,
    CONSTRAINT ai_evaluations_pkey PRIMARY KEY (version_id, benchmark, metric),
    CONSTRAINT ai_evaluations_version_id_fkey FOREIGN KEY (version_id) REFERENCES ai_model_versions ON DELETE CASCADE
);
COMMENT ON TABLE ai_evaluations IS 'How versions of models did in benchmarks.';
COMMENT ON COLUMN ai_evaluations.metric IS 'What was measured; score where the source only names the benchmark.';

CREATE TABLE prompts (
    prompt_id  uuid        NOT NULL DEFAULT gen_random_uuid(),
    name       text        NOT NULL,
    version    integer     NOT NULL DEFAULT 1,
    template   text        NOT NULL,
    variables  text[]      NOT NULL DEFAULT '{}',
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT prompts_pkey PRIMARY KEY (prompt_id),
    CONSTRAINT prompts_name_version_key UNIQUE (name, version),
    CONSTRAINT prompts_created_by_fkey FOREIGN KEY (created_by) REFERENCES users ON DELETE SET NULL,
    CONSTRAINT prompts_version_check CHECK (version > 0)
);
CREATE INDEX prompts_created_by_idx ON prompts (created_by);
COMMENT ON TABLE prompts IS 'Texts given to a model; a changed text is a new version.';

CREATE TABLE ai_sessions (
    session_id    uuid          NOT NULL DEFAULT gen_random_uuid(),
    user_id       uuid          NOT NULL,
    version_id    uuid          NOT NULL,
    started_at    timestamptz   NOT NULL DEFAULT now(),
    ended_at      timestamptz,
    input_tokens  integer       NOT NULL DEFAULT 0,
    output_tokens integer       NOT NULL DEFAULT 0,
    cost_usd      numeric(12,6) NOT NULL DEFAULT 0,
    context       jsonb         NOT NULL DEFAULT '{}',
    CONSTRAINT ai_sessions_pkey PRIMARY KEY (session_id),
    CONSTRAINT ai_sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE,
    CONSTRAINT ai_sessions_version_id_fkey FOREIGN KEY (version_id) REFERENCES ai_model_versions,
    CONSTRAINT ai_sessions_ended_at_check CHECK (ended_at >= started_at),
    CONSTRAINT ai_sessions_tokens_check CHECK (input_tokens >= 0 AND output_tokens >= 0)
);
CREATE INDEX ai_sessions_user_id_idx ON ai_sessions (user_id, started_at);
CREATE INDEX ai_sessions_version_id_idx ON ai_sessions (version_id);
COMMENT ON TABLE ai_sessions IS 'Conversations of a user with a version of a model.';
COMMENT ON COLUMN ai_sessions.context IS '[personal] What the user said and the agent remembers of it.';

CREATE TABLE generated_content (
    content_id  uuid        NOT NULL DEFAULT gen_random_uuid(),
    session_id  uuid        NOT NULL,
    prompt_id   uuid,
    playlist_id uuid,
    kind        text        NOT NULL,
    language    text        NOT NULL DEFAULT 'en',
    body        jsonb       NOT NULL,
    score       real,
    is_approved boolean,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT generated_content_pkey PRIMARY KEY (content_id),
    CONSTRAINT generated_content_session_id_fkey FOREIGN KEY (session_id) REFERENCES ai_sessions ON DELETE CASCADE,
    CONSTRAINT generated_content_prompt_id_fkey FOREIGN KEY (prompt_id) REFERENCES prompts ON DELETE SET NULL,
    CONSTRAINT generated_content_playlist_id_fkey FOREIGN KEY (playlist_id) REFERENCES playlists ON DELETE SET NULL,
    CONSTRAINT generated_content_kind_check CHECK (kind IN ('playlist', 'description', 'caption', 'summary', 'cover_brief')),
    CONSTRAINT generated_content_score_check CHECK (score BETWEEN 0 AND 1)
);
CREATE INDEX generated_content_session_id_idx ON generated_content (session_id);
CREATE INDEX generated_content_prompt_id_idx ON generated_content (prompt_id);
CREATE INDEX generated_content_playlist_id_idx ON generated_content (playlist_id) WHERE playlist_id IS NOT NULL;
COMMENT ON TABLE generated_content IS 'What a model made in a session.';
COMMENT ON COLUMN generated_content.is_approved IS 'Null until somebody has looked at it.';

-- Analytics ------------------------------------------------------------------------------------------------------

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

CREATE TABLE metrics (
    metric_id    bigint           GENERATED BY DEFAULT AS IDENTITY,
    name         text             NOT NULL,
    dimension    text             NOT NULL DEFAULT '',
    granularity  text             NOT NULL,
    period_start timestamptz      NOT NULL,
    value        double precision NOT NULL,
    CONSTRAINT metrics_pkey PRIMARY KEY (metric_id),
    CONSTRAINT metrics_name_dimension_granularity_period_start_key UNIQUE (name, dimension, granularity, period_start),
    CONSTRAINT metrics_granularity_check CHECK (granularity IN ('hour', 'day', 'week', 'month'))
);
COMMENT ON TABLE metrics IS 'Measurements summed up over a period.';
COMMENT ON COLUMN metrics.dimension IS 'What the measurement is split by (country=FR); empty for the whole tenant.';

CREATE TABLE segments (
    segment_id uuid        NOT NULL DEFAULT gen_random_uuid(),
    name       text        NOT NULL,
    definition jsonb       NOT NULL DEFAULT '{}',
    is_dynamic boolean     NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT segments_pkey PRIMARY KEY (segment_id),
    CONSTRAINT segments_name_key UNIQUE (name)
);
COMMENT ON TABLE segments IS 'Groups of users that are looked at or addressed together.';
COMMENT ON COLUMN segments.definition IS 'Conditions that a dynamic segment is computed from.';

CREATE TABLE segment_members (
    segment_id uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    score      real,
    joined_at  timestamptz          DEFAULT now(),
    CONSTRAINT segment_members_pkey PRIMARY KEY (segment_id, user_id),
    CONSTRAINT segment_members_segment_id_fkey FOREIGN KEY (segment_id) REFERENCES segments ON DELETE CASCADE,
    CONSTRAINT segment_members_user_id_fkey FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE
);
CREATE INDEX segment_members_user_id_idx ON segment_members (user_id);
COMMENT ON TABLE segment_members IS 'Who is in a segment.';
COMMENT ON COLUMN segment_members.score IS 'How well the user fits; null in segments made by hand.';

-- Working together -----------------------------------------------------------------------------------------------

CREATE TABLE workspaces (
    workspace_id uuid        NOT NULL DEFAULT gen_random_uuid(),
    slug         text        NOT NULL,
    name         text        NOT NULL,
    owner_id     uuid        NOT NULL,
    settings     jsonb       NOT NULL DEFAULT '{}',
    created_at   timestamptz          DEFAULT now(),
    archived_at  timestamptz,
    CONSTRAINT workspaces_pkey PRIMARY KEY (workspace_id),
    CONSTRAINT workspaces_slug_key UNIQUE (slug),
    CONSTRAINT workspaces_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES users,
    CONSTRAINT workspaces_slug_check CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$')
);
CREATE INDEX workspaces_owner_id_idx ON workspaces (owner_id);
COMMENT ON TABLE workspaces IS 'Rooms in which users work on playlists and content together.';

CREATE TABLE roles (
    role_id     uuid        NOT NULL DEFAULT gen_random_uuid(),
    name        text        NOT NULL,
    permissions text[]      NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT roles_pkey PRIMARY KEY (role_id),
    CONSTRAINT roles_name_key UNIQUE (name)
);
COMMENT ON TABLE roles IS 'What members of a workspace may do.';

CREATE TABLE members (
    workspace_id uuid        NOT NULL,
    user_id      uuid        NOT NULL,
    role_id      uuid        NOT NULL,
    joined_at    timestamptz          DEFAULT now(),
    CONSTRAINT members_pkey PRIMARY KEY (workspace_id, user_id),
    CONSTRAINT members_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces ON DELETE CASCADE,
    CONSTRAINT members_user_id_fkey FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE,
    CONSTRAINT members_role_id_fkey FOREIGN KEY (role_id) REFERENCES roles
);
CREATE INDEX members_user_id_idx ON members (user_id);
CREATE INDEX members_role_id_idx ON members (role_id);
COMMENT ON TABLE members IS 'Who works in a workspace, and as what.';

CREATE TABLE invitations (
    invitation_id uuid        NOT NULL DEFAULT gen_random_uuid(),
    workspace_id  uuid        NOT NULL,
    role_id       uuid        NOT NULL,
    email         text        NOT NULL,
    token_sha256  text,
    invited_by    uuid,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL,
    accepted_at   timestamptz,
    CONSTRAINT invitations_pkey PRIMARY KEY (invitation_id),
    CONSTRAINT invitations_token_sha256_key UNIQUE (token_sha256),
    CONSTRAINT invitations_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces ON DELETE CASCADE,
    CONSTRAINT invitations_role_id_fkey FOREIGN KEY (role_id) REFERENCES roles,
    CONSTRAINT invitations_invited_by_fkey FOREIGN KEY (invited_by) REFERENCES users ON DELETE SET NULL,
    CONSTRAINT invitations_token_sha256_check CHECK (token_sha256 ~ '^[0-9a-f]{64}$'),
    CONSTRAINT invitations_expires_at_check CHECK (expires_at > created_at)
);
CREATE INDEX invitations_workspace_id_idx ON invitations (workspace_id);
CREATE UNIQUE INDEX invitations_open_key ON invitations (workspace_id, lower(email)) WHERE accepted_at IS NULL;
CREATE INDEX invitations_role_id_idx ON invitations (role_id);
CREATE INDEX invitations_invited_by_idx ON invitations (invited_by);
COMMENT ON TABLE invitations IS 'Offers to join a workspace; one open offer for an address.';
COMMENT ON COLUMN invitations.email IS '[personal] Address of the person invited.';
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

CREATE TABLE comments (
    comment_id   uuid        NOT NULL DEFAULT gen_random_uuid(),
    workspace_id uuid        NOT NULL,
    author_id    uuid,
    parent_id    uuid,
    playlist_id  uuid,
    content_id   uuid,
    body         text        NOT NULL,
    created_at   timestamptz          DEFAULT now(),
    edited_at    timestamptz,
    document_id  uuid,
    CONSTRAINT comments_pkey PRIMARY KEY (comment_id),
    CONSTRAINT comments_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces ON DELETE CASCADE,
    CONSTRAINT comments_author_id_fkey FOREIGN KEY (author_id) REFERENCES users ON DELETE SET NULL,
    CONSTRAINT comments_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES comments ON DELETE CASCADE,
    CONSTRAINT comments_playlist_id_fkey FOREIGN KEY (playlist_id) REFERENCES playlists ON DELETE CASCADE,
    CONSTRAINT comments_content_id_fkey FOREIGN KEY (content_id) REFERENCES generated_content ON DELETE CASCADE,
    CONSTRAINT comments_body_check CHECK (char_length(body) BETWEEN 1 AND 10000),
    CONSTRAINT comments_document_id_fkey FOREIGN KEY (document_id) REFERENCES documents ON DELETE CASCADE,
    CONSTRAINT comments_subject_check CHECK (num_nonnulls(playlist_id, content_id, document_id) <= 1)
);
CREATE INDEX comments_workspace_id_idx ON comments (workspace_id, created_at);
CREATE INDEX comments_author_id_idx ON comments (author_id);
CREATE INDEX comments_parent_id_idx ON comments (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX comments_playlist_id_idx ON comments (playlist_id) WHERE playlist_id IS NOT NULL;
CREATE INDEX comments_content_id_idx ON comments (content_id) WHERE content_id IS NOT NULL;
CREATE INDEX comments_document_id_idx ON comments (document_id) WHERE document_id IS NOT NULL;
COMMENT ON TABLE comments IS 'Remarks on a playlist, on generated content or on a document; on the workspace itself where none is named.';
COMMENT ON COLUMN comments.comment_id IS 'Loaded comments: version 5 uuid of kind comment, made of the workspace and the source''s own id.';
COMMENT ON COLUMN comments.body IS '[personal] What the author wrote.';

CREATE TABLE workflows (
    workflow_id  uuid        NOT NULL DEFAULT gen_random_uuid(),
    workspace_id uuid        NOT NULL,
    name         text        NOT NULL,
    status       text        NOT NULL DEFAULT 'draft',
    schedule     text,
    created_by   uuid,
    created_at   timestamptz          DEFAULT now(),
    CONSTRAINT workflows_pkey PRIMARY KEY (workflow_id),
    CONSTRAINT workflows_workspace_id_name_key UNIQUE (workspace_id, name),
    CONSTRAINT workflows_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces ON DELETE CASCADE,
    CONSTRAINT workflows_created_by_fkey FOREIGN KEY (created_by) REFERENCES users ON DELETE SET NULL,
    CONSTRAINT workflows_status_check CHECK (status IN ('draft', 'active', 'paused', 'archived'))
);
CREATE INDEX workflows_created_by_idx ON workflows (created_by);
COMMENT ON TABLE workflows IS 'Steps that the agent takes for a workspace, again and again.';
COMMENT ON COLUMN workflows.schedule IS 'Five fields of cron, UTC; null: on demand.';

CREATE TABLE workflow_steps (
    workflow_id uuid     NOT NULL,
    position    smallint NOT NULL,
    kind        text     NOT NULL,
    prompt_id   uuid,
    settings    jsonb    NOT NULL DEFAULT '{}',
    timeout     interval NOT NULL DEFAULT '5 minutes',
    CONSTRAINT workflow_steps_pkey PRIMARY KEY (workflow_id, position),
    CONSTRAINT workflow_steps_workflow_id_fkey FOREIGN KEY (workflow_id) REFERENCES workflows ON DELETE CASCADE,
    CONSTRAINT workflow_steps_prompt_id_fkey FOREIGN KEY (prompt_id) REFERENCES prompts,
    CONSTRAINT workflow_steps_position_check CHECK (position > 0),
    CONSTRAINT workflow_steps_kind_check CHECK (kind IN ('select', 'generate', 'review', 'publish', 'notify'))
);
CREATE INDEX workflow_steps_prompt_id_idx ON workflow_steps (prompt_id);
COMMENT ON TABLE workflow_steps IS 'What a workflow does, in order.';
COMMENT ON COLUMN workflow_steps.position IS 'Counts from 1.';

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
