"""Causal disentanglement of multimodal data as a scikit-learn estimator."""
