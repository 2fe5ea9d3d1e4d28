"""The services of AWS: one module for each of them, and what their answers mean."""
