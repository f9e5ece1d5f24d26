-- What Spotify's own files hold, and what they leave out: several artists of a track, several ids of an album, podcasts and
-- audiobooks, the circumstances of listening. Columns are added as null, and NOT NULL goes where a source may not know.

ALTER TABLE users ALTER COLUMN email DROP NOT NULL;
COMMENT ON COLUMN users.email IS '[personal] Address to write to; unique without regard to case. Null where only the handle is known.';

-- An artist that was renamed has one id under two names, and two artists of one name have two.
ALTER TABLE artists DROP CONSTRAINT artists_spotify_id_key;
CREATE INDEX artists_spotify_id_idx ON artists (spotify_id);
COMMENT ON COLUMN artists.spotify_id IS 'An id at Spotify; artist_ids has all that were met.';
ALTER TABLE albums ALTER COLUMN artist_id DROP NOT NULL, DROP CONSTRAINT albums_spotify_id_key;
COMMENT ON COLUMN albums.album_id IS 'Version 5 uuid of kind album, made of the artist''s name, or where it is not known of the Spotify id, and the title.';
COMMENT ON COLUMN albums.artist_id IS 'Null where the source does not say.';
CREATE INDEX albums_spotify_id_idx ON albums (spotify_id);
COMMENT ON COLUMN albums.spotify_id IS 'An id at Spotify; album_ids has all that were met.';

ALTER TABLE tracks
    ALTER COLUMN artist_id DROP NOT NULL,
    ALTER COLUMN duration_ms DROP NOT NULL,
    DROP CONSTRAINT tracks_track_id_check,
    ADD CONSTRAINT tracks_track_id_check CHECK (char_length(track_id) IN (22, 36)),
    ADD COLUMN disc_number smallint,
    ADD COLUMN streams bigint,
    ADD COLUMN tags text[];
COMMENT ON TABLE tracks IS 'Recordings, by their Spotify id, or by artist and title where there is none.';
COMMENT ON COLUMN tracks.track_id IS 'The 22 characters of spotify:track:…; without them a version 5 uuid of kind track, made of artist and title.';
COMMENT ON COLUMN tracks.artist_id IS 'The first artist; null where the source does not say. track_artists has all.';
COMMENT ON COLUMN tracks.duration_ms IS 'Null where the source does not say.';
COMMENT ON COLUMN tracks.streams IS 'How often it was streamed, as a chart counts.';
COMMENT ON COLUMN tracks.tags IS 'Genres and moods, as the source names them.';

ALTER TABLE audio_features
    ALTER COLUMN danceability DROP NOT NULL,
    ALTER COLUMN energy DROP NOT NULL,
    ALTER COLUMN key DROP NOT NULL,
    ALTER COLUMN loudness DROP NOT NULL,
    ALTER COLUMN mode DROP NOT NULL,
    ALTER COLUMN speechiness DROP NOT NULL,
    ALTER COLUMN acousticness DROP NOT NULL,
    ALTER COLUMN instrumentalness DROP NOT NULL,
    ALTER COLUMN liveness DROP NOT NULL,
    ALTER COLUMN valence DROP NOT NULL,
    ALTER COLUMN tempo DROP NOT NULL,
    ALTER COLUMN time_signature DROP NOT NULL;
COMMENT ON TABLE audio_features IS 'What an analysis of the sound says of a track. Decimals are kept as the source writes them; null where it does not say.';

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

-- A playlist of Spotify's has an id, and an owner may have several of one name.
ALTER TABLE playlists
    DROP CONSTRAINT playlists_owner_id_name_key,
    DROP CONSTRAINT playlists_spotify_id_key,
    ADD COLUMN total_tracks integer,
    ADD COLUMN listed_tracks integer,
    ADD COLUMN followers integer,
    ADD COLUMN modified_at timestamptz,
    ADD CONSTRAINT playlists_total_tracks_check CHECK (total_tracks >= 0),
    ADD CONSTRAINT playlists_listed_tracks_check CHECK (listed_tracks >= 0),
    ADD CONSTRAINT playlists_followers_check CHECK (followers >= 0);
CREATE INDEX playlists_owner_id_idx ON playlists (owner_id, name);
CREATE INDEX playlists_spotify_id_idx ON playlists (spotify_id);
COMMENT ON COLUMN playlists.total_tracks IS 'How many entries the source says that it has.';
COMMENT ON COLUMN playlists.listed_tracks IS 'How many entries the source lists.';

ALTER TABLE playlist_tracks ALTER COLUMN added_at DROP NOT NULL;
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

ALTER TABLE listening_history
    ALTER COLUMN ms_played DROP NOT NULL,
    ADD COLUMN country text,
    ADD COLUMN reason_start text,
    ADD COLUMN reason_end text,
    ADD COLUMN shuffle boolean,
    ADD COLUMN offline boolean,
    ADD COLUMN offline_at timestamptz,
    ADD COLUMN incognito boolean,
    ADD CONSTRAINT listening_history_country_check CHECK (country ~ '^[A-Z]{2}$');
COMMENT ON TABLE listening_history IS '[personal] Who heard what, when and for how long.';
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
