"""What a fitted model says about samples; it may not import ``_initialization``.

``kept_models`` rebuilds the model from its arrays, once per device: a ``FittedModel``
(``fitted_model``) knows the units of the data and the order of components. Whatever is asked begins
with ``answer`` in ``posterior``, or with the same question to a ``MeanFieldVAE``. Complete samples
are asked apart from those that lack modalities, whose encoders were taught (``answers_of``); of
fits that set samples aside ``trusted`` (``evidence``) says which modalities of a sample to trust
less.

From the posterior follow the bound (``structured_bounds``), reconstructions and draws
(``decoding``), what single modalities say (``modality_evidence``) and how unlike others a sample is
(``evidence``), what to measure next (``information``), tables of experts with standard errors
(``expert_tables``) and answers under labels of contexts that are unknown (``contexts``).
``reports`` tells of separation, arrangement, stability and choices of a fit, ``answers`` of
samples, as a table in the user's words.
"""
