"""What all rooms stand on: it knows nothing of models, and nothing of samples.

- Parameters of the estimator that are objects are in ``parameter_objects``, on the base of
  ``naming_estimator``; names for the types of what users hand in unchecked in ``types``.
- ``reports`` has records of what a fit tells of itself, ``grid`` the cells of the nodes' outcomes.
- Users are told by ``warn`` (at their line) and ``progress_lines``; ``scalar_checks``
  refuses single values.
- ``scikit_learn`` and ``pytorch`` have all names that these call private: what their next versions
  may break.
- ``arithmetic`` has the decorator by which public methods work in surroundings of their own.
"""
