"""Whether texts and answers of a served model still look like those of its validation."""
