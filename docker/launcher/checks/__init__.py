"""What is checked before anything costs money: each check returns findings."""
