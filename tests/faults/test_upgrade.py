"""The version before this one and this one serve side by side, after the schema was expanded."""

import subprocess
from pathlib import Path

import pytest

from faults.previous import SETTING, commit_before
from faults.run import run_all
from faults.scenarios import SCENARIOS


async def test_upgraded_and_rolled_back_under_load(tmp_path: Path) -> None:
    (result,) = await run_all([SCENARIOS["rolling-upgrade"]], 1, 4, tmp_path)
    if result.skipped:
        pytest.skip(result.skipped)
    found = {property: lines for property, lines in result.findings.items() if lines}
    assert not found


def test_the_version_before_is_the_last_release_else_the_last_commit_else_none(
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

    assert commit_before(tmp_path) is None
    git("init")
    commit()
    assert commit_before(tmp_path) is None
    second = commit()
    git("tag", "v1")
    commit()
    last = commit()
    commit()
    assert commit_before(tmp_path) == "v1"
    git("tag", "-d", "v1")
    assert commit_before(tmp_path) == last
    monkeypatch.setenv(SETTING, second)
    assert commit_before(tmp_path) == second
