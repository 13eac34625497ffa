"""What several test files need. A test file imports from here, and never from another test file."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # of the checkout
NBS = ROOT / "nbs"
DOCS = ROOT / "docs"
