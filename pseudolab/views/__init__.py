"""What a run looks like: figures, explorers, reports."""
