"""Reports of measurements: Markdown, and a plot beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from service.bench.bars import Group, draw
from service.bench.machine import machine, versions


@dataclass(frozen=True, slots=True)
class Table:
    """Cells of text."""

    header: Sequence[str]
    lines: Sequence[Sequence[str]]

    def markdown(self) -> str:
        rows = [self.header, ["---"] * len(self.header), *self.lines]
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)


@dataclass(frozen=True, slots=True)
class Section:
    """What a table shows, and the table."""

    text: str
    table: Table


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured.

    Attributes:
        name: of its files.
        title: of the whole.
        axis: what the bars are.
        sections: of the text.
        groups: of bars.
    """

    name: str
    title: str
    axis: str
    sections: Sequence[Section]
    groups: Sequence[Group]

    def write(self, folder: Path, command: str) -> list[Path]:
        """`<name>.md` and `<name>.svg` in a folder, which is made.

        Args:
            folder: where they go.
            command: that measured it.
        """
        folder.mkdir(parents=True, exist_ok=True)
        files = {
            folder / f"{self.name}.md": self._markdown(command),
            folder / f"{self.name}.svg": draw(self.title, self.axis, self.groups),
        }
        for path, text in files.items():
            path.write_text(text, "utf-8")
        return list(files)

    def _markdown(self, command: str) -> str:
        used = ", ".join(f"{name} {version}" for name, version in versions().items())
        parts = [f"# {self.title}", f"`{command}`", f"{machine()}; {used}."]
        for section in self.sections:
            parts += [section.text, section.table.markdown()]
        parts.append(f"![{self.axis}]({self.name}.svg)")
        return "\n\n".join(parts) + "\n"
