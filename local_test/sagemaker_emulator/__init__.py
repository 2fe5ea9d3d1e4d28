"""Plays SageMaker against any image: training, interruption, endpoint, batch transform; prints what the image keeps."""
