"""The accumulated gradient of every family against float64, each text alone: no text may see another, nor padding."""

import pytest

from support.family_gradients import BOUND, HAVE_FLOAT64, gradient_error


@pytest.mark.parametrize("family", HAVE_FLOAT64)
def test_the_gradient_of_a_batch_is_exact_however_it_is_cut(tmp_path, family):
    """From one text per micro-batch to all in one, with and without padding."""
    assert gradient_error(tmp_path, family) < BOUND
