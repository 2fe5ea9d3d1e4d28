"""Run the image on AWS from your machine: `python docker/launcher COMMAND`, or `make COMMAND`.

Of `bert_classifier` it imports only modules that need no other package: settings, records and errors.
"""
