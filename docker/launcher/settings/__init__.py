"""What the commands can be told: declared once, read from flags, environment and file."""
