"""The report of the measurements."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.load.reliability import write

_PAGE = "before\n\n<!-- soak -->\nold\n<!-- end of soak -->\n\nafter\n"


def test_a_section_of_the_report_is_replaced_and_says_its_machine(tmp_path: Path) -> None:
    page = tmp_path / "reliability.md"
    page.write_text(_PAGE)
    for _ in range(2):
        write(tmp_path, "soak", r"new \1")
    text = page.read_text()
    assert text.startswith("before\n\n<!-- soak -->\n")
    assert text.endswith("<!-- end of soak -->\n\nafter\n")
    assert text.count(r"new \1") == 1
    assert "old" not in text
    assert "cores" in text


def test_a_report_without_a_place_for_a_section_says_which_marks_it_needs(tmp_path: Path) -> None:
    (tmp_path / "reliability.md").write_text("nothing")
    with pytest.raises(ValueError, match="<!-- soak -->"):
        write(tmp_path, "soak", "new")
