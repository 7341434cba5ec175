"""What each modality of a sample says of the answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class ModalityEvidence:
    """How far each modality moves the answer, and how far it disagrees with the others.

    Returned by :meth:`~skcausalpima.CausalPIMA.modality_evidence`, which has the equations.

    Parameters
    ----------
    influence : ndarray of shape (n_samples, n_modalities)
        Divergence, in nats, of the component probabilities from those without the modality; 0
        where it is missing.
    conflict : ndarray of shape (n_samples, n_modalities)
        From 0, the modality alone says what the others say, to log(2), it rules out what they say.
        NaN where it is missing or the only one.
    modality_names : tuple of str
        The modalities, in the order of the columns.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> X = np.repeat([[0.0, 1.0], [8.0, 9.0]], 30, axis=0)
    >>> X = X + np.random.default_rng(0).normal(size=X.shape)
    >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit([X, -X])
    >>> evidence = model.modality_evidence([X[:5], None])
    >>> evidence.influence.shape, evidence.modality_names
    ((5, 2), ('modality0', 'modality1'))
    """

    influence: np.ndarray
    conflict: np.ndarray
    modality_names: tuple[str, ...]
