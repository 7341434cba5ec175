"""Estimators that fit in a moment, which fixtures of the same names hand out."""

from functools import partial

from skcausalpima import CausalPIMA, Initialization, MissingValues, ScoreSearch


def quick(node_sizes=(2, 2), init="arranged", **parameters):
    """Make an estimator with few epochs, and nothing is tried that may be stated.

    Parts of parameters come by nested names. It has no encoders of incomplete samples: what
    ``taught`` makes has.
    """
    if init in ("arranged", "linear", "paper"):
        init = Initialization(init, pretraining_epochs=2)
    defaults = {"hidden_layer_sizes": (8,), "max_iter": 3, "random_state": 0}
    defaults |= {"modality_weights": "balanced", "views": None}
    defaults["structure"] = ScoreSearch(polishing_epochs=1)
    defaults["missing_values"] = MissingValues(subset_epochs=0)
    return CausalPIMA(node_sizes, init=init).set_params(**(defaults | parameters))


taught = partial(quick, missing_values=MissingValues(subset_epochs=1))
random_start = partial(quick, max_iter=1, init="paper", structure="gradient")
brief = partial(random_start, posterior="mean_field")
