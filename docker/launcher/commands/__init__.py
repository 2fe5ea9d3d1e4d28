"""One module for each command of make."""
