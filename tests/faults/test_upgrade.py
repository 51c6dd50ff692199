"""The previous version and this one serve at the same time, after the migration of the schema."""

import subprocess
from pathlib import Path

import pytest

from faults.previous_version import SETTING, previous_commit
from faults.run import run_all
from faults.scenarios import SCENARIOS


async def test_the_guarantees_hold_during_upgrade_and_rollback(tmp_path: Path) -> None:
    (result,) = await run_all([SCENARIOS["rolling-upgrade"]], 1, 4, tmp_path)
    if result.skipped:
        pytest.skip(result.skipped)
    findings = {property: lines for property, lines in result.findings.items() if lines}
    assert not findings


def test_the_previous_version_is_the_last_release_or_else_the_last_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SETTING, raising=False)

    def git(*command: str) -> str:
        user = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "tag.gpgsign=false")
        done = subprocess.run(
            ["git", *user, *command], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit() -> str:
        git("commit", "--allow-empty", "--no-gpg-sign", "-m", "x")
        return git("rev-parse", "HEAD")

    assert previous_commit(tmp_path) is None
    git("init")
    commit()
    assert previous_commit(tmp_path) is None
    second = commit()
    git("tag", "v1")
    commit()
    last = commit()
    commit()
    assert previous_commit(tmp_path) == "v1"
    git("tag", "-d", "v1")
    assert previous_commit(tmp_path) == last
    monkeypatch.setenv(SETTING, second)
    assert previous_commit(tmp_path) == second
