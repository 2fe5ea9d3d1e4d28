"""The report of a model that gives texts any number of labels: what its sections show."""
