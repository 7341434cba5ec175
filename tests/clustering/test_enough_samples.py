"""Draws of a fit: how many are asked, when they are enough, and what is said."""

import numpy as np
import pytest
from made_reports import changed

from skcausalpima._clustering.enough_samples import ask_draws
from skcausalpima._clustering.margins import DRAWS_OF_FIT, MOST_TIMES
from skcausalpima._held_out.matching import agreement_by_node
from skcausalpima.inspection._report_lines import sections


def missing(*seeds):
    """Return draws that agree but for those of some seeds, however many samples there are."""
    return lambda n_samples, seed: 0.1 if seed in seeds else 1.0


@pytest.mark.parametrize(
    ("missed", "is_found", "n_draws"),
    [((), True, DRAWS_OF_FIT), ((4,), True, DRAWS_OF_FIT), ((0, 2), False, 3), ((0, 1), False, 2)],
)
def test_all_draws_but_one_must_be_found_again(missed, is_found, n_draws):
    again = ask_draws(missing(*missed), 50)
    assert (again.found, len(again.agreement)) == (is_found, n_draws)


def test_more_samples_are_asked_until_they_are_enough():
    asked = []

    def draw(n_samples, seed):
        asked.append(n_samples)
        return float(n_samples >= 95)

    again = ask_draws(draw, 40)
    assert not again.found
    assert again.enough_samples == 120  # three times as many; 80 are not enough
    assert max(asked) == MOST_TIMES * 40


def test_where_the_most_are_not_enough_two_draws_say_so():
    asked = []

    def draw(n_samples, seed):
        asked.append(n_samples)
        return 0.0

    again = ask_draws(draw, 40)
    assert again.enough_samples is None
    assert asked == [40, 40, MOST_TIMES * 40, MOST_TIMES * 40]
    (found,) = changed(found_again=again).alarms
    assert found.remedy.startswith("5 times as many would not help: compare fewer outcomes")


def test_what_is_found_asks_for_no_more_samples():
    again = ask_draws(missing(), 40)
    assert again.enough_samples == 40
    lines = dict(sections(changed(found_again=again))["Stability"])
    assert lines["found again in draws of its own"] == "10 of 10, of 40 each"


def test_agreement_by_node_is_of_the_nodes_of_the_first_labelling():
    rng = np.random.default_rng(0)
    nodes = rng.integers(2, size=(400, 2))
    others = nodes.copy()
    others[:, 0] = rng.integers(2, size=400)
    found = agreement_by_node(nodes, others[:, ::-1], (2, 2))
    assert abs(found[0]) < 0.1
    assert found[1] == 1.0


def test_one_draw_that_is_lost_says_nothing_of_more_samples():
    again = ask_draws(lambda n_samples, seed: 0.5 if n_samples <= 40 or seed == 0 else 1.0, 40)
    assert not again.found
    assert again.enough_samples == 60
