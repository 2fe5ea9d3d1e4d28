"""What is wrong with labelled texts, found in seconds and before a model is trained on them."""
