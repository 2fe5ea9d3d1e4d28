"""What a classifier's answers to labelled texts say of it: scores, calibration, reports, comparisons."""
