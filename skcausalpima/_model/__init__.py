"""From parameters and samples to a torch model.

``parameters_of`` (``objects``) puts objects in the places of words and checks their parts
(``parameters`` says what each may be): ``Parameters`` (``stated``). ``set_up`` (``setup``) resolves
them for the data: ``ModelSpec`` (``spec``) is all that determines a model, its values aside;
``TrainingSettings`` (``settings``) has the parameter objects and a ``Schedule``; ``LeftOpen``
(``left_open``) what the data are to decide. Later a fit reads little of parameters but seeds and
the number of runs.

``build_model`` (``build``) makes one of the two families of models from a ``ModelSpec``; words for
networks are entries of a table there. ``experts`` checks what is stated of modalities.

``fit_data`` (``scaled_samples``) puts scaled samples on the device. ``TensorData`` (``tensors``) is
all that comes after knows of samples: batches and blocks are tensors, whether tables lie in memory
or come from disk as they are needed (``ScaledRows`` in ``scaled_rows``). They are all there are, or
those of one of several ranks, and then they alone ask the others: for sums (``total_of``), for rows
(``rows_of_all``, ``of_all``), whether something is so ``anywhere``, and for batches (``drawn``). By
what means is in ``ranks``.

``surroundings`` makes public methods independent of the caller's modes, and of other threads.
"""
