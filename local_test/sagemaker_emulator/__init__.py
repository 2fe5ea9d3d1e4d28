"""Emulate SageMaker for any image: training, interruption, endpoint, batch transform; report what the image fails."""
