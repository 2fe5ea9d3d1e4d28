"""The formulas of the table of several GPUs, beside cases computed by hand."""

import dataclasses

import pytest

from benchmarks import scaling_on_paper as paper

# Round numbers: 1 M weights, half of them in products, a tenth in word embeddings; a gradient of 4 MB.
ENCODER = paper.Encoder("toy", 1e6, 0.5e6, 0.1e6)
# 1 TFLOP/s, 100 GB/s of memory, 1 GB/s between GPUs of a host, 0.5 GB/s between hosts, 1 ms of latency.
ONE_HOST = paper.Cluster("one", 1, 4, 1e12, 100e9, 1e9, 0.5e9, 1e-3, 1_000_000, 1_000_000)
TWO_HOSTS = dataclasses.replace(ONE_HOST, hosts=2, gpus_per_host=2)
FULL = paper.Assumptions(1, 1, 1, 1, host_step=0, host_micro_batch=0)


def step(cluster=ONE_HOST, batch=4000, mode="ordered", assumed=FULL, rounds=1):
    """Return a step of the toy encoder."""
    return paper.step_of(ENCODER, cluster, batch, mode, assumed, rounds)


def test_compute_is_six_operations_per_weight_and_token() -> None:
    """1,000 texts per GPU are 63,000 tokens: 6 × 0.5 M × 63,000 = 189 GFLOP, 0.189 s; half the share, twice that."""
    assert step().compute == pytest.approx(0.189)
    assert step(assumed=dataclasses.replace(FULL, share_of_peak=0.5)).compute == pytest.approx(0.378)


def test_the_optimizer_moves_its_bytes_through_memory() -> None:
    """38 bytes per weight: 38 MB at 100 GB/s."""
    assert step().optimizer == pytest.approx(38e6 / 100e9)


def test_ordered_on_one_host() -> None:
    """All-to-all and all-gather send 3/4 of 4 MB each: 3 ms each at 1 GB/s, with 1 ms of latency; none is hidden."""
    ordered = step()
    assert ordered.leaving == pytest.approx(6e6)
    assert ordered.exchange == ordered.exposed == pytest.approx(0.008)
    assert ordered.seconds == pytest.approx(0.189 + 0.00038 + 0.008)


def test_each_round_of_groups_sends_the_gradients_again() -> None:
    """Three rounds: three times all-to-all, one all-gather."""
    assert step(rounds=3).exchange == pytest.approx(3 * 0.004 + 0.004)
    assert step(rounds=3).leaving == pytest.approx(3 * 3e6 + 3e6)


def test_ordered_on_two_hosts_is_bound_by_the_network() -> None:
    """Two GPUs of a host send half of 4 MB each: 4 MB at 0.5 GB/s = 8 ms; the gathering ring 3 MB = 6 ms."""
    ordered = step(TWO_HOSTS)
    assert ordered.leaving == pytest.approx(7e6)
    assert ordered.exchange == pytest.approx(0.008 + 0.006 + 0.002)


def test_overlapped_hides_all_but_the_word_embeddings() -> None:
    """The ring sends 6 MB: 7 ms with its latency, and backward takes 126; a tenth and the latency remain."""
    overlapped = step(mode="overlapped")
    assert overlapped.exchange == pytest.approx(0.007)
    assert overlapped.exposed == pytest.approx(0.0016)


def test_overlapped_shows_what_backward_is_too_short_for() -> None:
    """At 40 texts, backward takes 1.26 ms of the 7 ms."""
    assert step(batch=40, mode="overlapped").exposed == pytest.approx(0.007 - 2 / 3 * 0.00189)


def test_only_the_last_micro_batch_hides_the_exchange() -> None:
    """63,000 tokens in micro-batches of 1,000: backward of one takes 2 ms."""
    small = dataclasses.replace(ONE_HOST, budget=1000)
    assert step(small, mode="overlapped").exposed == pytest.approx(0.007 - 0.002)


def test_the_longer_of_host_and_gpu_counts() -> None:
    """A host that needs 50 ms per step and 100 ms per micro-batch is waited for once compute is shorter."""
    slow = dataclasses.replace(FULL, host_step=0.05, host_micro_batch=0.1)
    assert step(assumed=slow).host == pytest.approx(0.15)
    assert step(assumed=slow).seconds == pytest.approx(0.18938 + 0.008)
    assert step(batch=400, assumed=slow).seconds == pytest.approx(0.15 + 0.008)


def test_the_ordered_mode_has_its_own_budget() -> None:
    """Its micro-batches are the same on every card: with half the budget, the host prepares two."""
    host = dataclasses.replace(FULL, host_micro_batch=0.1)
    small = dataclasses.replace(ONE_HOST, ordered_budget=32_000)
    assert step(small, assumed=host).host == pytest.approx(0.2)
    assert step(small, mode="overlapped", assumed=host).host == pytest.approx(0.1)


def test_efficiency_is_speed_per_gpu_beside_one_gpu_alone() -> None:
    """One GPU takes 756 ms for 4,000 texts, and the optimizer's time; four take 197.4 ms."""
    share = paper.efficiency(ENCODER, ONE_HOST, 4000, "ordered", FULL)
    assert share == pytest.approx((4 * 0.189 + 0.00038) / 4 / 0.19738)
    alone = dataclasses.replace(ONE_HOST, gpus_per_host=1)
    assert paper.efficiency(ENCODER, alone, 4000, "overlapped", FULL) == 1


def test_the_table_has_every_case_once() -> None:
    """Two clusters, two encoders, three batches, both modes; overlapping never takes longer."""
    rows = list(paper.rows({encoder.name: paper.Assumptions() for encoder in paper.ENCODERS}))
    assert len({tuple(row[:4]) for row in rows}) == len(rows) == 24
    assert {len(row) for row in rows} == {len(paper.HEAD)}
    for overlapped, ordered in zip(rows[::2], rows[1::2], strict=True):
        assert float(overlapped[-3]) <= float(ordered[-3])
