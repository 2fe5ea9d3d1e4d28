"""What usually goes wrong with an image of one's own on SageMaker, and the test that shows it does not here.

No GPU host of SageMaker can be had here: that an image's CUDA runs on its driver is told (README) and not proved; what
is proved is that no driver lies in the image, where it would hide the host's.
"""

import pytest

from support.source_tree import ROOT, functions_of

TRAPS = {
    "train or serve not found": "container/test_image.py::test_train_and_serve_are_programs_on_the_path",
    "carriage returns in scripts": "docs/test_layout.py::test_text_files_are_plain",
    "OCI manifest or index": "container/test_push.py::test_a_manifest_that_sagemaker_refuses_is_told_with_the_cure",
    "arm64 image": "container/test_push.py::test_an_image_for_other_machines_is_refused_before_it_is_pushed",
    "SIGTERM lost": "container/test_training.py::test_told_to_stop_it_saves_and_ends",
    "entry point that swallows train and serve": "container/test_image.py::test_it_is_what_sagemaker_starts",
    "code or weights below /opt/ml": "container/test_image.py::test_nothing_lies_where_sagemaker_mounts",
    "another user than root": "container/test_training.py::test_confined_and_as_an_unknown_user_it_trains",
    "hyperparameters are strings": "unit/job/test_fields.py::test_integer_spellings",
    "invalid job name": "integration/test_train_spot.py::test_the_request_of_a_spot_job_is_exactly_this",
    "unsorted hosts": "unit/job/test_environment.py::test_hosts_are_sorted_so_that_all_agree_on_the_ranks",
    "names of hosts not known yet": "unit/training/test_cluster.py::test_names_are_waited_for",
    "no shared memory": "integration/test_serve_confined.py::test_without_network_disk_and_shared_memory",
    "checkpoints in the artifact": "unit/modeling/test_model.py::test_artifact_is_flat_and_holds_no_pickle",
    "damaged or foreign checkpoint": "integration/test_interruption.py::test_the_drill_ends_with_the_same_model",
    "checkpoint prefix without a slash": "integration/test_train_spot.py::"
    "test_every_option_reaches_the_request_of_a_job_at_full_price",
    "a model folder that is written to": "container/test_serving.py::test_confined_and_as_an_unknown_user_it_serves",
    "ping never 200": "container/test_serving.py::test_it_answers",
    "artifact with a folder around it": "unit/modeling/test_model.py::test_artifact_is_found_one_level_below",
    "answers that take too long": "unit/serving/http/test_app.py::test_an_answer_that_takes_too_long",
    "bodies as large as the platform's": "unit/job/test_serve_config.py::"
    "test_serve_body_limit_zero_means_the_platform_limit",
    "asynchronous requests longer than the server waits": "integration/test_deploy.py::"
    "test_an_asynchronous_endpoint_knows_where_to_write_and_its_server_has_the_time",
    "host software older than the image's CUDA": "integration/test_deploy.py::test_every_option_reaches_the_requests",
    "a batch job that fails for one bad line": "unit/serving/http/test_app_fuzz.py::test_lines_in_are_lines_out",
    "line breaks inside the texts of a batch": "integration/test_batch_transform.py::"
    "test_everything_wrong_is_told_at_once_and_nothing_is_sent",
    "driver in the image": "container/test_image.py::test_nothing_lies_where_sagemaker_mounts",
    "metrics that no expression finds": "integration/test_log_metrics.py::test_every_metric_is_found_with_its_value",
    "max_wait not above max_run": "unit/launcher/test_job_checks.py::test_waiting_takes_longer_than_running",
}  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_has_its_test(trap: str) -> None:
    """The named test exists."""
    file, _, name = TRAPS[trap].partition("::")
    assert name in {function.name for function in functions_of(ROOT / "tests" / file)}
