from micro_rl.reports.run.opinion import beyond_the_log

LOG = {"return_mean": 10.0, "return_best": 20.0}


def test_an_estimate_within_the_logs_returns_needs_no_remark():
    assert beyond_the_log(LOG, 10.0) == beyond_the_log(LOG, 20.0) == ""


def test_one_outside_is_remarked_on():
    assert "No episode of the log returned as much" in beyond_the_log(LOG, 20.1)
    assert "worse than what made the log" in beyond_the_log(LOG, -2.6e12)
