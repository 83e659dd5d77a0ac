import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def env(database_url: str) -> dict[str, str]:
    return {**os.environ, "LOYALTY_DATABASE_URL": database_url}


def loyalty(env: dict[str, str], *words: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "services.ops", *words]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def listed(env: dict[str, str]) -> list[dict[str, Any]]:
    keys: list[dict[str, Any]] = json.loads(loyalty(env, "keys", "ls", "--json")[1])
    return keys


def test_a_key_is_made_shown_and_taken_back(env: dict[str, str]) -> None:
    code, out, _ = loyalty(env, "keys", "new", "--owner", "till-7", "--scope", "x", "--source", "pos", "--json")
    made = json.loads(out)
    assert (code, made["owner"], made["scopes"], made["sources"]) == (0, "till-7", ["x"], ["pos"])
    key_id = made["key"].split("_")[1]
    assert [(key["id"], key["revoked_at"]) for key in listed(env)] == [(key_id, None)]
    assert loyalty(env, "keys", "revoke", made["key"])[0] == 0
    assert listed(env)[0]["revoked_at"] is not None
    assert loyalty(env, "keys", "revoke", key_id)[0] == 1


def test_a_key_without_scope_is_wrong_use(env: dict[str, str]) -> None:
    assert loyalty(env, "keys", "new", "--owner", "till-7")[0] == 2


def test_migrating_again_changes_nothing(env: dict[str, str]) -> None:
    first, second = loyalty(env, "migrate", "--json"), loyalty(env, "migrate", "--json")
    assert first[0] == second[0] == 0
    assert json.loads(first[1]) == json.loads(second[1])
    assert json.loads(first[1])["migrated"][0] == "access"


def test_an_unmigrated_database_is_answered_with_the_remedy(env: dict[str, str], empty_database_url: str) -> None:
    code, _, said = loyalty(env | {"LOYALTY_DATABASE_URL": empty_database_url}, "keys", "ls")
    assert (code, said) == (2, "loyalty: this database is not migrated: run `loyalty migrate`\n")


def test_a_database_that_is_away_is_said_in_one_line(env: dict[str, str]) -> None:
    away = env | {"LOYALTY_DATABASE_URL": "postgresql+asyncpg://nobody@127.0.0.1:1/none"}
    code, _, said = loyalty(away, "keys", "ls")
    assert (code, len(said.splitlines())) == (2, 1)
    assert "LOYALTY_DATABASE_URL" in said


def test_topics_are_created_once_and_compared_after_that(env: dict[str, str], kafka: str, clean_topics: str) -> None:
    own = env | {"LOYALTY_KAFKA": kafka, "LOYALTY_TOPIC_PREFIX": clean_topics}
    words = ("topics", "apply", "--partitions", "2", "--replication", "1", "--json")
    first, second = loyalty(own, *words), loyalty(own, *words)
    assert {change["change"] for change in json.loads(first[1])} == {"created"}
    assert {change["change"] for change in json.loads(second[1])} == {"unchanged"}
    assert first[0] == second[0] == 0


def test_a_topic_that_differs_is_told_and_left(env: dict[str, str], kafka: str, clean_topics: str) -> None:
    own = env | {"LOYALTY_KAFKA": kafka, "LOYALTY_TOPIC_PREFIX": clean_topics}
    loyalty(own, "topics", "apply", "--partitions", "2", "--replication", "1")
    code, out, _ = loyalty(own, "topics", "apply", "--partitions", "3", "--replication", "1", "--json")
    assert code == 1
    assert {"topic": "points", "change": "differs"}.items() <= {row["topic"]: row for row in json.loads(out)}[
        "points"
    ].items()


@pytest.mark.parametrize(
    "words", [("keys", "new"), ("keys", "revoke"), ("keys", "ls"), ("migrate",), ("topics", "apply")]
)
def test_every_command_shows_an_example(env: dict[str, str], words: tuple[str, ...]) -> None:
    code, out, _ = loyalty(env, *words, "--help")
    assert code == 0
    assert "Example: " in out
    assert "--json" in out
