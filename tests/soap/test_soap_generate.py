import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import soap.generate
import soap.messages
from soap.generate import MODULES, module_source

MESSAGES = Path(soap.messages.__file__).parent


@pytest.mark.parametrize(("module", "schema"), MODULES.items())
def test_a_messages_module_is_what_the_schema_makes_of_it(module: str, schema: str, tmp_path: Path) -> None:
    made = tmp_path / f"{module}.py"
    made.write_text(module_source(schema), encoding="utf-8")
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent)) or "ruff"
    subprocess.run([ruff, "format", "--quiet", "--line-length", "120", str(made)], check=True)

    assert made.read_text(encoding="utf-8") == (MESSAGES / f"{module}.py").read_text(encoding="utf-8")


def test_no_messages_module_stands_outside_the_generator() -> None:
    assert {path.stem for path in MESSAGES.glob("*.py")} == {"__init__", *MODULES}


def test_the_command_writes_every_module_beside_itself_and_names_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "messages").mkdir()
    monkeypatch.setattr(soap.generate, "__file__", str(tmp_path / "generate.py"))

    soap.generate.main()

    written = {path.stem: path.read_text(encoding="utf-8") for path in (tmp_path / "messages").iterdir()}
    assert written == {module: module_source(schema) for module, schema in MODULES.items()}
    assert capsys.readouterr().out.split() == [str(tmp_path / "messages" / f"{module}.py") for module in MODULES]
