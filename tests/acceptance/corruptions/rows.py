"""Damage to rows: that refer to nothing, are missing, edited, twice, somebody else's, or outside of time."""

from __future__ import annotations

import random

from tests.acceptance.support import State

from . import NOBODY, REPLICA, blind, corruption, one_user, some

# --- rows that refer to nothing ---------------------------------------------------------------------------------------


@corruption(("reference", "audio_features.track_id"), ("missing", "tracks"), repaired=True, anew=("t_acme.tracks",))
def a_track_is_deleted_behind_its_features(db: State, pick: random.Random) -> None:
    number = pick.choice([5, 6])
    db.run(REPLICA, f"DELETE FROM t_acme.tracks WHERE track_id = '{number:022d}'")


@corruption(("reference", "listening_history.user_id"))
def a_listen_of_nobody(db: State, pick: random.Random) -> None:
    hour = pick.randrange(24)
    db.run(
        REPLICA,
        "INSERT INTO t_acme.listening_history (user_id, track_id, played_at, ms_played)"
        f" VALUES ('{NOBODY}', '{1:022d}', '2024-05-01T{hour:02d}:00:00Z', 1000)",
    )


@corruption(("reference", "comments.parent_id"), ("edited", "comments"))
def an_answer_to_no_comment(db: State, pick: random.Random) -> None:
    comment = some(db, pick, "SELECT comment_id FROM t_acme.comments")
    db.run(REPLICA, f"UPDATE t_acme.comments SET parent_id = '{NOBODY}' WHERE comment_id = '{comment}'")


@corruption(("reference", "tracks.album_id"), ("edited", "tracks"), repaired=True)
def a_track_of_no_album(db: State, pick: random.Random) -> None:
    db.run(REPLICA, f"UPDATE t_acme.tracks SET album_id = '{NOBODY}' WHERE track_id = '{pick.randint(1, 6):022d}'")


@corruption(("reference", "playlist_tracks.playlist_id"), ("reference", "comments.playlist_id"), ("missing", "playlists"), repaired=True)
def a_playlist_is_deleted_behind_its_tracks(db: State, pick: random.Random) -> None:
    db.run(REPLICA, "DELETE FROM t_acme.playlists WHERE playlist_id = (SELECT playlist_id FROM t_acme.playlist_tracks LIMIT 1)")


# --- rows that are missing, or edited ---------------------------------------------------------------------------------


@corruption(("missing", "users"), repaired=True, count=1)
def a_user_is_gone(db: State, pick: random.Random) -> None:
    db.run(f"DELETE FROM t_acme.users WHERE user_id = '{one_user(db, pick)}'")


@corruption(("missing", "audio_features"), repaired=True, count=6)
def a_table_is_emptied(db: State, pick: random.Random) -> None:
    db.run("TRUNCATE t_acme.audio_features")


@corruption(("missing", "playlist_tracks"), repaired=True, count=1)
def a_row_with_a_key_of_two_columns_is_gone(db: State, pick: random.Random) -> None:
    db.run(f"DELETE FROM t_acme.playlist_tracks WHERE position = {pick.randint(1, 3)}")


@corruption(("missing", "ai_models"), count=1)
def a_row_without_a_source_is_gone(db: State, pick: random.Random) -> None:
    db.run("DELETE FROM t_acme.ai_models WHERE name = 'spare'")


@corruption(("missing", "users"), count=1)
def a_user_is_replaced(db: State, pick: random.Random) -> None:
    """As many rows as before: no count shows it. It keeps its handle, so the one from the source cannot come back beside it."""
    db.run(f"UPDATE t_acme.users SET user_id = gen_random_uuid() WHERE user_id = '{one_user(db, pick)}'")


@corruption(("edited", "users"), repaired=True, count=1)
def a_plan_is_edited(db: State, pick: random.Random) -> None:
    db.run(f"UPDATE t_acme.users SET plan = 'family' WHERE user_id = '{one_user(db, pick)}'")


@corruption(("edited", "users"), repaired=True, count=1)
def a_setting_inside_json_is_edited(db: State, pick: random.Random) -> None:
    db.run(f"""UPDATE t_acme.users SET settings = '{{"volume": {pick.random()}}}' WHERE user_id = '{one_user(db, pick)}'""")


@corruption(("edited", "audio_features"), repaired=True, count=1)
def a_number_is_edited_in_its_last_digit(db: State, pick: random.Random) -> None:
    db.run(f"UPDATE t_acme.audio_features SET energy = energy + 1e-15 WHERE track_id = '{pick.randint(1, 6):022d}'")


@corruption(("edited", "tracks"), repaired=True, count=1)
def a_title_is_written_in_other_case(db: State, pick: random.Random) -> None:
    db.run(f"UPDATE t_acme.tracks SET title = upper(title) WHERE track_id = '{pick.randint(1, 6):022d}'")


@corruption(("edited", "users"), repaired=True, count=2)
def two_users_swap_their_names(db: State, pick: random.Random) -> None:
    db.run("UPDATE t_acme.users SET display_name = CASE handle WHEN 'user5' THEN 'name 6' ELSE 'name 5' END WHERE handle IN ('user5', 'user6')")


@corruption(("edited", "ai_models"), count=1)
def a_row_without_a_source_is_edited(db: State, pick: random.Random) -> None:
    db.run("UPDATE t_acme.ai_models SET provider = 'somebody else' WHERE name = 'spare'")


@corruption(("edited", "ai_model_versions"), count=1)
def a_price_gets_another_scale(db: State, pick: random.Random) -> None:
    """Equal as a number: what is stored is another value all the same."""
    db.run("UPDATE t_acme.ai_model_versions SET parameters = '{\"t\": 1.00}'")


# --- keys -------------------------------------------------------------------------------------------------------------


@corruption(("key", "users.users_handle_key"), ("constraint", "users.users_handle_key"))
def a_handle_is_given_twice(db: State, pick: random.Random) -> None:
    db.run(
        "ALTER TABLE t_acme.users DROP CONSTRAINT users_handle_key",
        "INSERT INTO t_acme.users (handle, email, display_name) VALUES ('user1', 'other@example.com', 'x')",
    )


@corruption(("key", "users.users_email_key"), ("index", "users_email_key"))
def an_address_is_given_twice_in_other_case(db: State, pick: random.Random) -> None:
    db.run("DROP INDEX t_acme.users_email_key", "INSERT INTO t_acme.users (handle, email, display_name) VALUES ('other', 'USER1@example.com', 'x')")


@corruption(("key", "artists.artists_pkey"), ("index", "artists_pkey"), ("edited", "artists"))
def a_primary_key_is_there_twice(db: State, pick: random.Random) -> None:
    """Its index did not see the second row: the constraint stands, and does not hold."""
    blind(db, "artists_pkey", "INSERT INTO t_acme.artists (artist_id, name) SELECT artist_id, 'twin' FROM t_acme.artists ORDER BY name LIMIT 1")


# --- clocks -----------------------------------------------------------------------------------------------------------


@corruption(("clock", "listening_history.played_at"), count=1)
def a_listen_in_the_future(db: State, pick: random.Random) -> None:
    days = pick.randint(2, 900)
    db.run(
        "INSERT INTO t_acme.listening_history (user_id, track_id, played_at, ms_played)"
        f" SELECT user_id, '{1:022d}', now() + interval '{days} days', 1000 FROM t_acme.users WHERE handle = 'user1'"
    )


@corruption(("clock", "users.created_at"), ("edited", "users"), repaired=True)
def a_user_of_forever(db: State, pick: random.Random) -> None:
    db.run(f"UPDATE t_acme.users SET created_at = 'infinity' WHERE user_id = '{one_user(db, pick)}'")


@corruption(("clock", "users.birth_date"), ("edited", "users"), repaired=True)
def somebody_not_yet_born(db: State, pick: random.Random) -> None:
    db.run(f"UPDATE t_acme.users SET birth_date = current_date + {pick.randint(5, 5000)} WHERE user_id = '{one_user(db, pick)}'")


@corruption(("clock", "comments.edited_at"), ("edited", "comments"))
def a_comment_edited_before_it_was_written(db: State, pick: random.Random) -> None:
    db.run("UPDATE t_acme.comments SET edited_at = created_at - interval '1 hour'")


@corruption(("clock", "analytics_events.occurred_at"), ("missing", "analytics_events"))
def an_event_before_there_were_computers(db: State, pick: random.Random) -> None:
    db.run(f"UPDATE t_acme.analytics_events SET occurred_at = '{pick.randint(1, 1899):04d}-01-01'")


@corruption(("clock", "dataset users"))
def a_load_in_the_future(db: State, pick: random.Random) -> None:
    db.run("UPDATE tenancy.ledger SET loaded_at = now() + interval '1 year' WHERE dataset = 'users'")


# --- the pack's own rules, and the registry ---------------------------------------------------------------------------


@corruption(("check", "replies-stay-in-their-workspace"), count=1)
def an_answer_in_another_workspace(db: State, pick: random.Random) -> None:
    db.run(
        "INSERT INTO t_acme.comments (workspace_id, parent_id, playlist_id, body)"
        " SELECT w.workspace_id, c.comment_id, c.playlist_id, 'x' FROM t_acme.workspaces w, t_acme.comments c WHERE w.slug = 'second'"
    )


@corruption(("check", "events-are-of-their-session"), ("edited", "analytics_events"))
def an_event_of_somebody_elses_session(db: State, pick: random.Random) -> None:
    db.run(f"UPDATE t_acme.analytics_events SET user_id = '{one_user(db, pick)}'")


@corruption(("tier", "acme"))
def a_tier_that_is_none(db: State, pick: random.Random) -> None:
    db.run("UPDATE tenancy.tenants SET tier = 'plutonium' WHERE tenant_id = 'acme'")
