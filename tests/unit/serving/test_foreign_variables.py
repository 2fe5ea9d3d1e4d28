"""Variables that are no settings of the server: those that libraries read by themselves."""

from bert_classifier.serving.foreign_variables import remove_library_variables


def test_variables_of_libraries_are_taken_out():
    """Those that were not empty are returned; one that is set to nothing would be read as well."""
    environ = {
        "WEB_CONCURRENCY": "",
        "PROMETHEUS_MULTIPROC_DIR": "/tmp",
        "PATH": "/bin",
        "SERVING_THREADS": "1",
    }
    assert remove_library_variables(environ) == ["PROMETHEUS_MULTIPROC_DIR"]
    assert environ == {"PATH": "/bin", "SERVING_THREADS": "1"}
