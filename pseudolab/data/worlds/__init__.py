"""The drawn worlds of the pocket tasks."""
