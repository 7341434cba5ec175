"""One whole fit: begin, run from one seed or several, tell what came out.

- ``whole``: ``fit_anew``, ``fit_further`` (``warm_start``) and ``fit_arrivals`` (``partial_fit``),
  each from what the user passes to a ``FittedState``. ``fit_anew`` asks ``begin`` for the start,
  then whether the noise of tables differs between clusters, and which modalities are linear.
- ``restarts`` keeps the best of the runs. A run alone whose cells raise an alarm is held against
  ``short_runs`` from other seeds, and gives way where these agree on other cells.
- ``run``: ``initialize_run``, ``epochs``, then ``end_of_run``: clusters are laid anew
  (``rearranged`` in ``stability``), the graph is selected and polished, encoders of incomplete
  samples are taught. A fit that is stopped goes through the same end, without epochs of polishing
  and teaching; so does the copy that a callback wants to see (``end_of_copy``).
- ``attributes`` makes the fitted state. What it reports is asked without the random stream of the
  run: of other starts, gaps and sums of effects (``stability``), of draws from fits to few samples,
  whose cells ``begin`` is to find (``few_samples``), of known outcomes (``known_factors``).
- Who follows: ``Watch`` (``callbacks``) makes an ``Observer`` for each run; ``Checkpoints`` there
  writes a ``BegunFit``. When it is resumed, ``fit_anew`` reads data and begins as before, and
  ``begun_state`` (``checkpoint``) takes the place of ``initialize_run``; ``run_state`` does so in a
  fit that is continued. ``interrupts`` says who gets Ctrl-C.
- ``arrivals``: ``learn`` trains a fitted model as polishing does. ``adaptation`` learns a new label
  of a context, all else fixed; ``new_label_draws`` says how sure that is.
- ``mixture_refits``, for ``inspection``: trained encoders are asked once, and mixtures of many
  bootstrap samples are iterated together on what they say (``several_mixtures``). Which of their
  nodes stand for which is in ``inspection/_matched_refits``.
- ``data_parallel``: what must be so before a fit of several ranks, and what is kept. All ranks ask
  the same questions in the same order: no branch may depend on the rows of one.
"""
