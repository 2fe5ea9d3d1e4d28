"""The reports as HTML: what they say, and how it looks."""
