"""Files and locations that a job reads: looked at, uploaded, named."""
