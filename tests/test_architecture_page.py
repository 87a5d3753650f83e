"""docs/architecture.md names the layers of ``bot`` that import-linter holds."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_page_and_the_contract_name_the_same_layers() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (inside_bot,) = [one["layers"] for one in contracts if one.get("containers") == ["bot"]]
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    (layers,) = [block for block in page.split("```\n")[1::2] if block.startswith("cli\n")]
    assert layers.splitlines() == inside_bot
    modules = {
        path.stem
        for path in (ROOT / "bot").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    named = {module for layer in inside_bot for module in layer.split(" | ")}
    assert modules - {"__init__", "__main__"} == named
