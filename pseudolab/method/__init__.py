"""Pseudolabelling with prompts: select, weigh, fit, measure, again."""
