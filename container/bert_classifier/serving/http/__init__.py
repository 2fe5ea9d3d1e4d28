"""HTTP: decode requests to records, encode predictions to responses."""
