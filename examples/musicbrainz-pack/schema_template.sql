-- What MusicBrainz says of music. Ids are its own. A day may be known by its year or its month alone: the text is kept beside the first day.

CREATE TABLE artists (
    artist_id      uuid PRIMARY KEY,
    name           text NOT NULL,
    sort_name      text,
    kind           text,
    gender         text,
    country        text,
    disambiguation text,
    begun          text,
    begun_on       date,
    ended          text,
    ended_on       date
);

CREATE TABLE release_groups (
    release_group_id  uuid PRIMARY KEY,
    title             text NOT NULL,
    primary_type      text,
    secondary_types   text[],
    first_released    text,
    first_released_on date,
    disambiguation    text
);

CREATE TABLE releases (
    release_id       uuid PRIMARY KEY,
    release_group_id uuid REFERENCES release_groups,
    title            text NOT NULL,
    status           text,
    country          text,
    barcode          text,
    language         text,
    released         text,
    released_on      date,
    disambiguation   text
);
CREATE INDEX releases_release_group_id_idx ON releases (release_group_id);

CREATE TABLE release_labels (
    release_id     uuid     NOT NULL REFERENCES releases,
    position       smallint NOT NULL,
    label_id       uuid,
    label          text,
    catalog_number text,
    PRIMARY KEY (release_id, position)
);

CREATE TABLE release_artists (
    release_id  uuid     NOT NULL REFERENCES releases,
    position    smallint NOT NULL,
    artist_id   uuid     NOT NULL REFERENCES artists,
    credited_as text,
    join_phrase text,
    PRIMARY KEY (release_id, position)
);
CREATE INDEX release_artists_artist_id_idx ON release_artists (artist_id);

CREATE TABLE recordings (
    recording_id      uuid PRIMARY KEY,
    title             text NOT NULL,
    length_ms         integer,
    is_video          boolean,
    first_released    text,
    first_released_on date,
    disambiguation    text
);

CREATE TABLE recording_artists (
    recording_id uuid     NOT NULL REFERENCES recordings,
    position     smallint NOT NULL,
    artist_id    uuid     NOT NULL REFERENCES artists,
    credited_as  text,
    join_phrase  text,
    PRIMARY KEY (recording_id, position)
);
CREATE INDEX recording_artists_artist_id_idx ON recording_artists (artist_id);

CREATE TABLE tracks (
    track_id     uuid PRIMARY KEY,
    release_id   uuid NOT NULL REFERENCES releases,
    medium       smallint,
    format       text,
    position     smallint,
    number       text,
    title        text NOT NULL,
    length_ms    integer,
    recording_id uuid REFERENCES recordings
);
CREATE INDEX tracks_release_id_idx ON tracks (release_id);
CREATE INDEX tracks_recording_id_idx ON tracks (recording_id);
