"""What several test files need. A test file imports from here, and never from another test file."""
