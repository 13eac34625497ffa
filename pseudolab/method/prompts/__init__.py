"""Learned prompts: one interface, three bodies."""
