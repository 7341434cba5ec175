"""Where training begins; it may not import ``_inference``.

First, once for a fit, ``filled_data`` (``low_rank``) fills what is missing, and ``begin`` decides
what parameters leave open; folds and proposals of node sizes begin there, too. The samples that
clusters are found on are taken once (``initial_sample``). An ``Entry`` (``rivals``) is one way to
look at them, a rival changes one thing of it: weights of modalities and derived views (``sides``,
``derived_views``), units of columns (``column_noise``), scores beside the first ones
(``latent_space``), independent components (``components``). ``begin`` has their order and margins,
``_clustering`` finds and compares the clusterings. Where clusters are not laid on the grid there is
no contest. A ``Start`` has nothing open.

``noise_of_clusters`` and ``linear_parts`` then ask what networks have to learn: noise that differs
between clusters, nothing but noise beside their linear paths, or nothing.

For each run ``initialize_run`` (``initialize``) builds the model, sets networks to probabilistic
PCA (``principal_components``) and experts per sample (``experts``), pre-trains, finds clusters
(``initialize_clusters``: those of the contest, or EM in ``mixture`` from k-means), lets mixture,
tables and experts per cluster follow, and puts networks per cluster in their places. It returns a
``RunState``: the model, and all that training carries along.
"""
