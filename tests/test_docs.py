"""The papers: every link in them leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house import ROOT, kept_files

LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]+`")
ELSEWHERE = re.compile(r"[a-z][a-z+.-]*:", re.IGNORECASE)

PAPERS = [path for path in kept_files() if path.suffix == ".md"]


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_in_the_papers_leads_somewhere(paper: Path) -> None:
    text = CODE.sub("", FENCE.sub("", paper.read_text(encoding="utf-8")))
    links = (link for link in LINK.findall(text) if not ELSEWHERE.match(link))
    broken = [link for link in links if not _leads_somewhere(paper, link)]
    assert not broken, f"{paper.relative_to(ROOT)} links to what is not there: {broken}"


def _leads_somewhere(paper: Path, link: str) -> bool:
    place, _, anchor = link.partition("#")
    start = ROOT if place.startswith("/") else paper.parent
    target = start / place.lstrip("/") if place else paper
    if not target.exists():
        return False
    return not anchor or target.suffix != ".md" or anchor in _anchors(target)


def _anchors(paper: Path) -> set[str]:
    """The anchors that GitHub makes of a paper's headings."""
    text = FENCE.sub("", paper.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+\s+(.+?)\s*#*$", text, re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}
