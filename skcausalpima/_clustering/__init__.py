"""Clusters, and which cell of the grid each of them is assigned to.

A ``Contest`` (``contest``) asks every ``View`` of samples alike: ``propose_candidates``
(``candidates``) has ``Finder`` in ``clusters`` make clusterings (mixtures with more components than
cells, merged by ``over_fitted``; k-means; ``latent_classes`` of tables with words), and
``choose_candidate`` lays each on the grid (``arrangement``; the search is in ``placements``) and
takes that with which the others agree most. Beyond 128 cells ``many_cells`` finds nodes first, by
the mixture of ``factorial``. ``independent_components`` makes a further view.

What is asked of cells once they are there: whether there are gaps between them (``gaps``), whether
they lie at sums of effects more nearly than by chance (``factors_or_kinds``, by ``random_means``
or by a bound), whether other samples show them (``found_again``, ``enough_samples``).
``arrangement_report`` puts the answers together. Numbers that decide, here and in what judges the
start, are in ``margins``, each with its evidence; what users state of nodes is checked by
``node_sizes``.

Points are arrays, and clusters know nothing of models: fits, ``cluster`` and the choice of node
sizes ask the same questions.
"""
