"""The documentation matches the code: layers, the main path of the README, and every file name and link."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
SETTINGS = [ROOT / "pyproject.toml", ROOT / "config.yaml"]
FOLDERS = ("bot", "benchmarks", "inference", "training", "reports", "migrations", "tests", "docs", "locks")
EXAMPLE_FILES = {"bot/rooms/example.py", "tests/contract/room_setups/example.py"}
PROJECT_FILE = re.compile(rf"(?<![\w./-])(?:{'|'.join(FOLDERS)})/[\w./-]*[\w/](?![*<])")
BARE_FILE = re.compile(r"(?<![\w./-])[\w-]+\.(?:py|md|js|css|html|toml|yaml|txt|conf|tflite)\b")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")


def import_contracts() -> list[dict[str, object]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts: list[dict[str, object]] = settings["tool"]["importlinter"]["contracts"]
    return contracts


def layers_of(package: str) -> list[str]:
    """Return the layers that import-linter enforces in a package, from the top."""
    (layers,) = [one["layers"] for one in import_contracts() if one.get("containers") == [package]]
    assert isinstance(layers, list)
    return layers


def test_architecture_page_and_import_linter_have_the_same_layers_in_bot() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    (block,) = [block for block in page.split("```\n")[1::2] if block.startswith("cli\n")]
    assert block.splitlines() == layers_of("bot")


def test_architecture_page_and_import_linter_have_the_same_layers_in_reports() -> None:
    page = " ".join((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").split())
    *first, last = (f"`{layer}`" for layer in layers_of("reports"))
    assert f"Its layers, from the top, are {', '.join(first)} and {last}." in page


def test_every_module_of_bot_belongs_to_a_layer() -> None:
    modules = {
        path.stem
        for path in (ROOT / "bot").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    layered = {module for layer in layers_of("bot") for module in layer.split(" | ")}
    assert modules - {"__init__", "__main__"} == layered


def imported_modules(folder: Path) -> Iterator[str]:
    """Yield the full names that the modules of a folder import from other folders of the project."""
    inside = ".".join(folder.relative_to(ROOT).parts)
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            for name in names:
                if name.split(".")[0] in FOLDERS and not f"{name}.".startswith(f"{inside}."):
                    yield name


def test_layout_table_names_exactly_the_imports_of_each_folder() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w/]+)/` \| .* \| (.*) \|$", page, re.MULTILINE)
    assert len(rows) > 10
    for folder, cell in rows:
        documented = set(re.findall(r"`([a-z_]+(?:\.[a-z_]+)*)`", cell)) - {"alembic"}
        used = set()
        for name in imported_modules(ROOT / folder):
            covering = {one for one in documented if f"{name}.".startswith(f"{one}.")}
            assert covering, f"{folder}/ imports {name}"
            used |= covering
        assert documented == used, f"{folder}/ does not import all that the table names"


@pytest.mark.parametrize("page", [*PAGES, *SETTINGS], ids=lambda page: page.name)
def test_every_file_named_in_documentation_and_settings_exists(page: Path) -> None:
    names = set(PROJECT_FILE.findall(page.read_text(encoding="utf-8"))) - EXAMPLE_FILES
    assert sorted(name for name in names if not (ROOT / name).exists()) == []


@pytest.fixture(scope="module")
def file_names() -> set[str]:
    folders = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.*")]
    return {path.name for path in [*ROOT.iterdir(), *folders]}


@pytest.mark.parametrize("page", [*PAGES, *SETTINGS], ids=lambda page: page.name)
def test_every_file_named_without_its_folder_exists_somewhere(page: Path, file_names: set[str]) -> None:
    assert sorted(set(BARE_FILE.findall(page.read_text(encoding="utf-8"))) - file_names) == []


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_in_the_documentation_leads_to_a_file_and_a_heading(page: Path) -> None:
    for name, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        target = page.parent / name if name else page
        assert target.exists(), name
        assert not anchor or anchor in anchors(target), f"{name}#{anchor}"


def test_main_path_of_the_readme_leads_from_the_room_to_the_page() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = readme.split("## The main path through the code")[1].split("```\n")[1]
    files = [line.split()[0] for line in block.splitlines()]
    assert [file for file in files if not (ROOT / file).is_file()] == []
    packages = ["bot/rooms/", "bot/webrtc/", "bot/pipeline/", "inference/", "bot/sessions/", "reports/web/"]
    first_lines = [
        next(n for n, file in enumerate(files) if file.startswith(package)) for package in packages
    ]
    assert first_lines == sorted(first_lines)
    assert files[-1].endswith(".js")


def test_rooms_page_describes_the_contract_tests() -> None:
    page = (ROOT / "docs" / "rooms.md").read_text(encoding="utf-8")
    assert "### Contract tests" in page
    assert "tests/contract/test_room_contract.py" in PROJECT_FILE.findall(page)
