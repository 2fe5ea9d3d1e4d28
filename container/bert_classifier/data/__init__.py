"""Read files of labelled texts into examples."""
