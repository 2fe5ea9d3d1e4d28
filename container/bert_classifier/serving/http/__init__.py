"""From HTTP requests to records, and from predictions to answers."""
