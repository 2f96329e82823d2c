"""The tests of this folder run every line of `ipfilters/` and take every branch."""

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_branch_is_taken(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "-m", "not long and not slow"]
    others = ["--cov=ipfilters", "--cov-branch", "--cov-fail-under=100", "--cov-report=term-missing:skip-covered"]
    done = subprocess.run(
        [*command, *others, str(TESTS)],
        cwd=TESTS.parents[1],
        env={"PATH": "/usr/bin:/bin", "COVERAGE_FILE": str(tmp_path / "coverage")},
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    print(done.stdout[-1500:])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
