"""Finds the parts of the documents, and of the code, that must agree."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
CONTRACTS = (ROOT / "docs" / "contracts.md").read_text("utf-8")
FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`]+)`")
Cells = list[list[str]]


def markdown_files() -> list[Path]:
    """Find every Markdown file of the project."""
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*.md"))
    return sorted(path for path in found if not path.parts[0].startswith("."))


def section(heading: str, text: str = CONTRACTS) -> str:
    """Return what stands under a heading, up to the next one of any level."""
    parts = re.split(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return parts[parts.index(heading) + 1]


def table(text: str, head: str) -> Cells:
    """Return the cells of the table whose first head is this, without its head."""
    rows = re.split(rf"^\| {head} \|.*\n\|[-|]+\n", text, maxsplit=1, flags=re.MULTILINE)[1]
    found = [line for line in rows.split("\n\n")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found]


def names(rows: Cells, column: int = 0) -> list[str]:
    """Return what stands as code in one column, in order."""
    return [name for row in rows for name in _CODE.findall(row[column])]


def examples(role: str) -> list[str]:
    """Return the fenced examples of contracts.md that carry a role."""
    return [body for _, found, body in FENCE.findall(CONTRACTS) if found == role]


def calls(folder: str, name: str) -> Iterator[list[object]]:
    """Yield the arguments of each call of a name: constants as they are, others as None."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == name:
                yield [one.value if isinstance(one, ast.Constant) else None for one in node.args]


def anchors(path: Path) -> set[str]:
    """Return the anchors that a Markdown viewer makes of a file's headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def defined_names(tree: ast.Module) -> Iterator[str]:
    """Yield what a module names: functions, classes, parameters and variables."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
