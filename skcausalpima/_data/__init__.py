"""What users hand in, checked: X in any form, weights, known nodes, interventions.

``validation`` is the one gate. Two tables say what it takes: ``ADAPTERS`` (``adapters``) for what
is one array, ``CONTAINERS`` (``containers``) for what holds several; ``recipes`` and
``cell_contents`` say what to pass in place of all else. Out come ``Modalities``: a checked array
each, which samples have it (``missing_values``), labels of contexts, and the ``Form`` in which
results go back. ``element_axes`` says where the elements of samples lie, for pictures and
tables; a ``Table`` keeps it.

Columns that are no numbers become elements here: ``coded_form`` (``stated_likelihoods``) decides
once, in ``fit``, and a ``ColumnTable`` (``column_kinds``) codes, there and in all methods. From
here on a table is an array of elements, of which ``ModelSpec.layouts`` says which belong together.

``MultimodalData.align`` puts frames of unlike rows together; ``aligned_rows`` says which of these
are the same samples.

``read_samples`` (``samples``) adds what is known of each sample (``known_nodes``) and keeps the
rows that are trained on: not those of weight zero (``sample_weight``), nor those that nothing else
is like (``outliers``). ``scaling`` fits the units of modalities, by ``units`` where these are left
to the data; ``other_units`` warns of samples that arrive in others.

What is on disk stays there (``OnDisk`` in ``on_disk``: rows are chosen without reading). ``Ranks``
(``ranks``) are the processes that fit together; one process answers itself.
"""
