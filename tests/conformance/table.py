"""The pass table, printed at the end of the run and kept in build/conformance.md."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Table:
    """Rows gathered by the tests: what was tried, by which tool, with what effect."""

    tools: dict[str, str] = field(default_factory=dict)
    cells: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)

    def tool(self, name: str, version: str, why: str) -> None:
        self.tools[name] = f"{version}" if not why else f"{version} NOT INSTALLED: {why}"

    def record(self, section: str, row: str, tool: str, effect: str) -> None:
        self.cells.setdefault((section, row), {})[tool] = effect

    def lines(self) -> list[str]:
        """Return the table as Markdown, and write it into the build folder."""
        if not self.tools:
            return []
        lines = ["# Conformance", ""]
        lines += [f"- {name} {text}" for name, text in self.tools.items()]
        sections = dict.fromkeys(section for section, _ in self.cells)
        for section in sections:
            rows = {row: c for (own, row), c in self.cells.items() if own == section}
            columns = list(dict.fromkeys(t for cells in rows.values() for t in cells))
            lines += ["", f"## {section}", "", f"| | {' | '.join(columns)} |"]
            lines.append("|---" * (len(columns) + 1) + "|")
            lines += [
                f"| {row} | {' | '.join(cells.get(c, '-') for c in columns)} |"
                for row, cells in rows.items()
            ]
        folder = Path(__file__).parents[2] / "build"
        folder.mkdir(exist_ok=True)
        (folder / "conformance.md").write_text("\n".join(lines) + "\n")
        return lines
