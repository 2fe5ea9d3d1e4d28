"""Settings of each command, where their values come from, and the table of instance types."""
