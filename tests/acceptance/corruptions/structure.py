"""Damage to what the pack makes, and what leads to a neighbour."""

from __future__ import annotations

import random

from tests.acceptance.support import State

from . import NOBODY, blind, corruption

# --- indexes ----------------------------------------------------------------------------------------------------------


@corruption(("index", "tracks_artist_id_idx"), ("edited", "tracks"), repaired=True)
def an_index_misses_a_row(db: State, pick: random.Random) -> None:
    blind(db, "tracks_artist_id_idx", f"UPDATE t_acme.tracks SET popularity = 1, title = title || '!' WHERE track_id = '{pick.randint(1, 6):022d}'")
    # The new version of the row stands in every index but this one.


@corruption(("index", "artists_genres_idx"), repaired=True)
def an_index_is_invalid(db: State, pick: random.Random) -> None:
    db.run("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 't_acme.artists_genres_idx'::regclass")


@corruption(("index", "users_handle_key"), repaired=True)
def the_index_of_a_constraint_is_invalid(db: State, pick: random.Random) -> None:
    db.run("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 't_acme.users_handle_key'::regclass")


@corruption(("index", "tracks_title_lower_idx"), repaired=True)
def an_index_is_not_kept_up(db: State, pick: random.Random) -> None:
    db.run("UPDATE pg_index SET indisready = false WHERE indexrelid = 't_acme.tracks_title_lower_idx'::regclass")


@corruption(("index", "playlist_tracks_track_id_idx"), repaired=True)
def an_index_is_gone(db: State, pick: random.Random) -> None:
    db.run("DROP INDEX t_acme.playlist_tracks_track_id_idx")


@corruption(("index", "users_last_seen_at_idx"), repaired=True)
def an_index_is_of_another_column(db: State, pick: random.Random) -> None:
    db.run("DROP INDEX t_acme.users_last_seen_at_idx", "CREATE INDEX users_last_seen_at_idx ON t_acme.users (created_at)")


# --- constraints ------------------------------------------------------------------------------------------------------


@corruption(("constraint", "audio_features.audio_features_pkey"), repaired=True)
def a_primary_key_is_gone(db: State, pick: random.Random) -> None:
    db.run("ALTER TABLE t_acme.audio_features DROP CONSTRAINT audio_features_pkey")


@corruption(("constraint", "export_lines.export_lines_key"), repaired=True)
def a_unique_constraint_is_gone(db: State, pick: random.Random) -> None:
    db.run("ALTER TABLE t_acme.export_lines DROP CONSTRAINT export_lines_key")


@corruption(("constraint", "tracks.tracks_artist_id_fkey"), repaired=True)
def a_foreign_key_is_gone(db: State, pick: random.Random) -> None:
    db.run("ALTER TABLE t_acme.tracks DROP CONSTRAINT tracks_artist_id_fkey")


@corruption(("constraint", "tracks.tracks_artist_id_fkey"), ("reference", "tracks.artist_id"), ("edited", "tracks"), repaired=True)
def a_foreign_key_is_gone_and_a_reference_broken(db: State, pick: random.Random) -> None:
    db.run(
        "ALTER TABLE t_acme.tracks DROP CONSTRAINT tracks_artist_id_fkey",
        f"UPDATE t_acme.tracks SET artist_id = '{NOBODY}' WHERE track_id = '{pick.randint(1, 6):022d}'",
    )


@corruption(("constraint", "users.users_country_check"), repaired=True)
def a_check_is_gone(db: State, pick: random.Random) -> None:
    db.run("ALTER TABLE t_acme.users DROP CONSTRAINT users_country_check")


@corruption(("constraint", "users.users_plan_check"), repaired=True)
def a_check_allows_more(db: State, pick: random.Random) -> None:
    db.run(
        "ALTER TABLE t_acme.users DROP CONSTRAINT users_plan_check",
        "ALTER TABLE t_acme.users ADD CONSTRAINT users_plan_check CHECK (plan <> '')",
    )


@corruption(("constraint", "artists.artists_followers_check"))
def a_check_is_not_valid_and_broken(db: State, pick: random.Random) -> None:
    db.run(
        "ALTER TABLE t_acme.artists DROP CONSTRAINT artists_followers_check",
        f"INSERT INTO t_acme.artists (artist_id, name, followers) VALUES (gen_random_uuid(), 'late', {-pick.randint(1, 99)})",
        "ALTER TABLE t_acme.artists ADD CONSTRAINT artists_followers_check CHECK (followers >= 0) NOT VALID",
    )


@corruption(("constraint", "playlists.playlists_owner_id_fkey"), repaired=True)
def a_foreign_key_is_not_valid(db: State, pick: random.Random) -> None:
    db.run(
        "ALTER TABLE t_acme.playlists DROP CONSTRAINT playlists_owner_id_fkey",
        "ALTER TABLE t_acme.playlists ADD CONSTRAINT playlists_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES t_acme.users ON DELETE CASCADE NOT VALID",
    )


@corruption(("constraint", "export_lines.export_lines_export_id_fkey"), repaired=True)
def references_are_switched_off(db: State, pick: random.Random) -> None:
    """On one table, as for a load: those of others that lead to it stop too."""
    db.run("ALTER TABLE t_acme.exports DISABLE TRIGGER ALL")


@corruption(("setting", "session_replication_role"), count=1)
def references_are_switched_off_in_every_new_session(db: State, pick: random.Random) -> None:
    db.run(f'ALTER DATABASE "{db.value("SELECT current_database()")}" SET session_replication_role = replica')


@corruption(("column", "users.display_name"), repaired=True)
def a_value_may_be_missing(db: State, pick: random.Random) -> None:
    db.run("ALTER TABLE t_acme.users ALTER COLUMN display_name DROP NOT NULL")


@corruption(("column", "users.locale"), repaired=True)
def a_default_is_another(db: State, pick: random.Random) -> None:
    db.run("ALTER TABLE t_acme.users ALTER COLUMN locale SET DEFAULT 'tlh'")


@corruption(("column", "playlists.created_at"), repaired=True)
def a_default_is_gone(db: State, pick: random.Random) -> None:
    db.run("ALTER TABLE t_acme.playlists ALTER COLUMN created_at DROP DEFAULT")


@corruption(("column", "segments.name"))
def a_column_is_of_another_type(db: State, pick: random.Random) -> None:
    db.run("ALTER TABLE t_acme.segments ALTER COLUMN name TYPE varchar(40)")


@corruption(("column", "shows.name"), ("constraint", "shows.shows_name_check"))
def a_column_with_a_check_is_of_another_type(db: State, pick: random.Random) -> None:
    """PostgreSQL prints the check in another way than the pack's: to make it again is work for nothing."""
    db.run("ALTER TABLE t_acme.shows ALTER COLUMN name TYPE varchar(5000)")


@corruption(("column", "prompts.variables"))
def a_column_is_gone(db: State, pick: random.Random) -> None:
    db.run("ALTER TABLE t_acme.prompts DROP COLUMN variables")


@corruption(("table", "workflow_steps"))
def a_table_is_gone(db: State, pick: random.Random) -> None:
    db.run("DROP TABLE t_acme.workflow_steps")


@corruption(("table", "metrics"), repaired=True)
def a_table_would_not_survive_a_crash(db: State, pick: random.Random) -> None:
    db.run("ALTER TABLE t_acme.metrics SET UNLOGGED")


# --- what the pack runs -----------------------------------------------------------------------------------------------


@corruption(("trigger", "notes.notes_stamp"), repaired=True)
def a_trigger_is_switched_off(db: State, pick: random.Random) -> None:
    db.run("ALTER TABLE t_acme.notes DISABLE TRIGGER notes_stamp")


@corruption(("trigger", "notes.notes_stamp"), repaired=True)
def a_trigger_fires_for_replicas_only(db: State, pick: random.Random) -> None:
    db.run("ALTER TABLE t_acme.notes ENABLE REPLICA TRIGGER notes_stamp")


@corruption(("trigger", "notes.notes_stamp"), repaired=True)
def a_trigger_is_gone(db: State, pick: random.Random) -> None:
    db.run("DROP TRIGGER notes_stamp ON t_acme.notes")


@corruption(("rule", "notes.notes_stay"), repaired=True)
def a_rule_is_switched_off(db: State, pick: random.Random) -> None:
    db.run("ALTER TABLE t_acme.notes DISABLE RULE notes_stay")


@corruption(("rule", "notes.notes_stay"))
def a_rule_does_something_else(db: State, pick: random.Random) -> None:
    db.run("CREATE OR REPLACE RULE notes_stay AS ON DELETE TO t_acme.notes WHERE OLD.body <> '' DO INSTEAD NOTHING")


@corruption(("table", "notes"), repaired=True)
def row_security_is_switched_off(db: State, pick: random.Random) -> None:
    db.run("ALTER TABLE t_acme.notes DISABLE ROW LEVEL SECURITY")


@corruption(("table", "roles"), repaired=True)
def row_security_is_switched_on(db: State, pick: random.Random) -> None:
    """Without a policy: it shows nobody a row."""
    db.run("ALTER TABLE t_acme.roles ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")


@corruption(("table", "roles"))
def row_security_is_switched_on_with_a_policy(db: State, pick: random.Random) -> None:
    db.run("ALTER TABLE t_acme.roles ENABLE ROW LEVEL SECURITY", "CREATE POLICY own ON t_acme.roles USING (true)")


@corruption(("policy", "notes.notes_all"))
def a_policy_is_another(db: State, pick: random.Random) -> None:
    db.run("ALTER POLICY notes_all ON t_acme.notes USING (body <> 'x')")


@corruption(("view", "open_notes"))
def a_view_shows_something_else(db: State, pick: random.Random) -> None:
    db.run("CREATE OR REPLACE VIEW t_acme.open_notes AS SELECT note_id, upper(body) AS body FROM t_acme.notes")


@corruption(("function", "stamp()"))
def a_function_does_something_else(db: State, pick: random.Random) -> None:
    db.run("CREATE OR REPLACE FUNCTION t_acme.stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$")


# --- sequences --------------------------------------------------------------------------------------------------------


@corruption(("sequence", "listening_history.listen_id"), repaired=True)
def a_sequence_is_behind(db: State, pick: random.Random) -> None:
    db.run(f"SELECT setval('t_acme.listening_history_listen_id_seq', {pick.randint(1, 3)})")


@corruption(("sequence", "notes.note_id"), repaired=True)
def a_sequence_stands_on_the_last_number(db: State, pick: random.Random) -> None:
    db.run("SELECT setval('t_acme.notes_note_id_seq', (SELECT max(note_id) FROM t_acme.notes), false)")


@corruption(("sequence", "metrics.metric_id"))
def a_sequence_cannot_pass_the_last_number(db: State, pick: random.Random) -> None:
    """The number that somebody has written is the last one that there is."""
    db.run(f"INSERT INTO t_acme.metrics (metric_id, name, granularity, period_start, value) VALUES ({2**63 - 1}, 'x', 'day', '2025-01-01', 5)")


@corruption(("sequence", "notes.note_id"))
def a_sequence_is_used_up(db: State, pick: random.Random) -> None:
    db.run(f"SELECT setval('t_acme.notes_note_id_seq', {2**63 - 1})")


@corruption(("sequence", "metrics_metric_id_seq"))
def a_sequence_counts_in_other_steps(db: State, pick: random.Random) -> None:
    db.run("ALTER SEQUENCE t_acme.metrics_metric_id_seq INCREMENT BY 2")


# --- neighbours -------------------------------------------------------------------------------------------------------


@corruption(("isolation", "users"), count=1)
def a_row_of_another_tenant(db: State, pick: random.Random) -> None:
    number = pick.randint(11, 13)
    db.run(f"INSERT INTO t_acme.users SELECT * FROM t_globex.users WHERE handle = 'user{number}'")


@corruption(("isolation", "exports.tenant_id"), count=1)
def a_row_says_that_it_is_of_another_tenant(db: State, pick: random.Random) -> None:
    db.run("INSERT INTO t_acme.exports (tenant_id) VALUES ('globex')")


@corruption(("isolation", "table t_globex.users"))
def a_reference_into_another_tenant(db: State, pick: random.Random) -> None:
    db.run("ALTER TABLE t_acme.notes ADD COLUMN other uuid REFERENCES t_globex.users")


@corruption(("isolation", "table t_globex.tracks"), ("owner", "view neighbours"))
def a_view_of_another_tenant(db: State, pick: random.Random) -> None:
    db.run("CREATE VIEW t_acme.neighbours AS SELECT track_id FROM t_globex.tracks")


@corruption(("isolation", "sequence t_globex.notes_note_id_seq"))
def a_default_out_of_another_tenant(db: State, pick: random.Random) -> None:
    db.run("ALTER TABLE t_acme.exports ADD COLUMN number bigint DEFAULT nextval('t_globex.notes_note_id_seq')")


@corruption(("isolation", "function peek"), ("owner", "function peek"))
def a_function_that_reads_another_tenant(db: State, pick: random.Random) -> None:
    db.run("CREATE FUNCTION t_acme.peek() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT count(*) FROM t_globex.users); END $$")


@corruption(("isolation", "view t_globex.spy"))
def a_view_of_ours_in_another_tenant(db: State, pick: random.Random) -> None:
    db.run("CREATE VIEW t_globex.spy AS SELECT handle FROM t_acme.users")


@corruption(("isolation", "schema t_acme"))
def the_schema_was_made_for_another_tenant(db: State, pick: random.Random) -> None:
    db.run(f"COMMENT ON SCHEMA t_acme IS 'Tenant globex ({NOBODY})'")


@corruption(("owner", "table segments"))
def a_table_belongs_to_somebody_else(db: State, pick: random.Random) -> None:
    db.run("ALTER TABLE t_acme.segments OWNER TO tenancy_test_app", "GRANT ALL ON t_acme.segments TO tenancy_test_loader, tenancy_test_migrator")


@corruption(("grant", "relation users"))
def a_table_is_open_to_everybody(db: State, pick: random.Random) -> None:
    db.run("GRANT SELECT ON t_acme.users TO PUBLIC")


@corruption(("grant", "schema t_acme"))
def the_schema_is_open_to_a_stranger(db: State, pick: random.Random) -> None:
    db.run("GRANT USAGE ON SCHEMA t_acme TO pg_monitor")


@corruption(("grant", "column users.email"))
def a_column_is_open_to_a_stranger(db: State, pick: random.Random) -> None:
    db.run("GRANT SELECT (email) ON t_acme.users TO pg_monitor")


@corruption(("permission", "albums"), repaired=True)
def the_loader_has_lost_its_rights(db: State, pick: random.Random) -> None:
    db.run(f"REVOKE ALL ON t_acme.albums FROM tenancy_test_loader, {db.role('acme')}")


@corruption(("permission", "albums"), repaired=True)
def the_loader_may_not_write(db: State, pick: random.Random) -> None:
    db.run("REVOKE INSERT, UPDATE ON t_acme.albums FROM tenancy_test_loader")


@corruption(("permission", "albums"), repaired=True)
def the_application_may_not_delete(db: State, pick: random.Random) -> None:
    db.run(f"REVOKE DELETE ON t_acme.albums FROM {db.role('acme')}")


@corruption(("permission", "view open_notes"), repaired=True)
def the_application_may_not_read_a_view(db: State, pick: random.Random) -> None:
    db.run(f"REVOKE SELECT ON t_acme.open_notes FROM {db.role('acme')}")


@corruption(("permission", "sequence notes_note_id_seq"), repaired=True)
def nobody_may_draw_numbers(db: State, pick: random.Random) -> None:
    db.run(f"REVOKE USAGE, UPDATE ON t_acme.notes_note_id_seq FROM tenancy_test_loader, {db.role('acme')}")


@corruption(("permission", "schema t_acme"), repaired=True)
def the_schema_is_closed(db: State, pick: random.Random) -> None:
    db.run(f"REVOKE USAGE ON SCHEMA t_acme FROM tenancy_test_loader, {db.role('acme')}")
