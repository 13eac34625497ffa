"""Tasks: named classes and their pictures, drawn, from folders, or the paper's."""
