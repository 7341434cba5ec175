"""Pictures of fits: scikit-learn's Display convention, matplotlib imported where one is drawn.

One file for each Display, a dataclass on the base in ``display``, which says where is drawn. What
they share: ``styles`` and ``colouring``, names that fit (``labels``), ``heat_map``,
``column_panels``, one sample of any shape (``painter``) and a modality of an estimator
(``shown_modality``).
"""
