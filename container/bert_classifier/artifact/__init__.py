"""What training leaves and serving loads."""
