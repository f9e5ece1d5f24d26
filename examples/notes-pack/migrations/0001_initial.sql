CREATE TABLE notes (
    note_id    uuid PRIMARY KEY,
    title      text NOT NULL,
    body       text,
    written_on date NOT NULL
);
CREATE INDEX notes_written_on_idx ON notes (written_on);
