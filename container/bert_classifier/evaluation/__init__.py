"""Evaluate a classifier on labelled texts: metrics, calibration, abstention, label issues, reports."""
