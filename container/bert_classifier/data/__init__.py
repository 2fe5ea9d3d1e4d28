"""From files of labelled texts to examples."""
