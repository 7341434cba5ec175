"""The table of words for networks."""

import pytest
from some_slow import some_slow
from torch import nn

from skcausalpima._model.build import NETWORK_WORDS, NETWORKS, named_network


def test_none_is_the_default_and_code_is_no_word():
    assert named_network(None) is NETWORKS["mlp"]
    assert named_network(nn.Linear(2, 2)) is None
    assert named_network(lambda shape, latent_dim: nn.Identity()) is None


def test_only_decoders_are_per_cluster():
    assert NETWORK_WORDS["decoders"] == tuple(NETWORKS)
    assert not any(NETWORKS[word].per_cluster for word in NETWORK_WORDS["encoders"])


@pytest.mark.parametrize("word", some_slow(NETWORKS, ["mlp"]))
def test_a_saved_model_of_every_word_is_loaded(random_start, pair, tmp_path, word):
    """The least size of a file's model is counted by the same table."""
    encoder = word if word in NETWORK_WORDS["encoders"] else None
    est = random_start(encoders=encoder, decoders=word).fit(pair)
    est.save(tmp_path / "model")
    loaded = type(est).load(tmp_path / "model")
    assert (loaded.predict_proba(pair) == est.predict_proba(pair)).all()
