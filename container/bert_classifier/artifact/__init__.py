"""What training writes and serving loads."""
