"""The arithmetic of the benchmark."""

import pytest
from tests.programs.bench.figures import (
    Aim,
    by_verb,
    growth,
    judge,
    linearity,
    per_object,
    percentiles,
    rounded,
    writes,
)
from tests.programs.bench.process import Usage, cpu_ms, noise

MADE = {"create jobs": 1.0, "create events": 0.5, "update modeltrainings": 2.0, "list pods": 0.1}


def test_percentiles_lie_between_the_values() -> None:
    assert percentiles([float(value) for value in range(1, 101)]) == {"p50": 50.5, "p95": 95.0}


def test_one_value_is_its_own_percentile() -> None:
    assert percentiles([7.0]) == {"p50": 7.0, "p95": 7.0}


def test_large_figures_are_shown_with_one_digit_behind_the_point() -> None:
    assert (rounded(9.87654), rounded(98.7654)) == (9.877, 98.8)


def test_requests_are_what_came_between_two_readings_per_object() -> None:
    before = {("create", "jobs"): 10.0, ("list", "jobs"): 2.0}
    after = {("create", "jobs"): 20.0, ("list", "jobs"): 2.0, ("update", "modeltrainings"): 30.0}
    assert per_object(before, after, 10) == {"create jobs": 1.0, "update modeltrainings": 3.0}


def test_requests_are_summed_over_resources() -> None:
    assert by_verb(MADE) == {"create": 1.5, "update": 2.0, "list": 0.1}


def test_reads_are_no_writes() -> None:
    assert writes(MADE) == 3.5


@pytest.mark.parametrize(("small", "large", "expected"), [(2.0, 10.0, 1.0), (2.0, 20.0, 2.0)])
def test_linearity_compares_the_time_per_object(small: float, large: float, expected: float) -> None:
    assert linearity({"1000": {"jobs_s": large}, "200": {"jobs_s": small}}) == expected


def test_growth_leaves_out_what_a_start_costs_by_itself() -> None:
    assert growth({100: 1.1, 1000: 2.0, 10_000: 11.0}) == 1.0
    assert growth({100: 1.1, 1000: 2.0, 10_000: 20.0}) == 2.0


def test_growth_needs_three_sizes() -> None:
    assert growth({100: 1.1, 1000: 2.0}) is None


def test_one_burst_says_nothing_about_linearity() -> None:
    assert linearity({"200": {"jobs_s": 1.0}}) is None


def test_an_aim_stands_beside_its_figure() -> None:
    assert judge({"operator": {"rss_mib": 121.0}}, [Aim(("operator", "rss_mib"), 120)]) == {
        "operator.rss_mib": {"value": 121.0, "aim": 120, "met": False}
    }


@pytest.mark.parametrize(("value", "met"), [(0.89, False), (0.9, True), (1.1, True)])
def test_an_aim_can_be_the_least_that_a_figure_should_be(value: float, met: bool) -> None:
    aim = Aim(("ratio",), 0.9, at_least=True)
    assert judge({"ratio": value}, [aim]) == {"ratio": {"value": value, "aim": 0.9, "met": met}}


def test_an_aim_is_not_met_where_measuring_failed() -> None:
    assert judge({"lost": None}, [Aim(("lost",), 0)]) == {"lost": {"value": None, "aim": 0, "met": False}}


def test_an_aim_at_a_figure_that_was_not_measured_is_left_out() -> None:
    assert judge({"operator": {}}, [Aim(("operator", "rss_mib"), 120), Aim(("linearity", "x"), 1)]) == {}


def test_strangers_are_whoever_is_not_ours() -> None:
    before = Usage(at=0.0, by_process={"operator": 1.0, "etcd": 1.0}, machine=10.0, steal=0.0)
    after = Usage(at=10.0, by_process={"operator": 3.0, "etcd": 5.0}, machine=21.0, steal=1.0)
    assert noise(before, after) == {"strangers_cores": 0.5, "steal_cores": 0.1}
    assert cpu_ms(before, after, 1000) == {"operator": 2.0, "etcd": 4.0}
