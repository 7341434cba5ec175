"""Algorithm 2: phases of epochs, each of gradient steps and an update in closed form.

``epochs`` (``loop``) makes the epochs of a ``Phase``: pre-training, training, polishing, and what
arrives later. A phase says what an epoch sees (``fill``), when it is cut short (``is_stopped``) and
how it ends (``close``). In training:

- What is missing in a modality is filled in as the model expects it (``filling``; what samples say
  without it goes along as ``Batch.gaps``), and some samples keep their component (``holding``).
- Gradient steps on the bound (``gradients``), shorter ones in modalities that are linear.
- ``BlockUpdate`` (``block_update``): mixture, variances, experts, dispersions of counts
  (``decoder_updates``), tables of a given graph, and last how sharp potentials are
  (``potentials``). All follows from what the steps saw (``EpochSums`` in ``sums``), or from one
  ``data_pass`` where that is not enough (``steps_suffice``).
- The held-out pass, and ``ending``: a ``Stopper`` sees that the bound no longer grows, an
  ``ExpertGuard`` that an expert has diverged. Both go back to a state that they kept.

After training ``graph_selection`` goes from expected counts to a graph and its tables: by search,
by the trained edges, or the given one. Where many samples make a plan short, last layers are
regressions in the end (``decoder_updates``).

``distil`` (``distillation``) makes the encoders of samples that lack modalities, all else fixed.
They begin as copies of the trained ones or, where that is better, as linear maps
(``linear_locations``); of each modality what was taught is kept if it is better on samples that
were kept back, and these say how sure parts of samples are.

``Observer`` (``observer``) is the one door to all who follow a run, or end it: it is told of
epochs, and asked after every batch. An ``Interruption`` there is what Ctrl-C means to all runs of a
fit.
"""
