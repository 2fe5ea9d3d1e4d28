"""Evaluation of classifiers that give a text any number of labels."""
