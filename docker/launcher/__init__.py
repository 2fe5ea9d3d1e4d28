"""Starts the image's work on AWS from your machine: `python docker/launcher COMMAND`, or `make COMMAND`.

Imports of the package only what runs without any other package: settings, records and errors.
"""
