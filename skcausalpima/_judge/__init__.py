"""What speaks for and against a fit: records with codes, and the numbers that judge.

- ``alarms``: the record, and the list of all codes.
- ``figures``: what is judged, from the attributes of a fit.
- ``judge``: all that is found, by ``of_cells``, ``of_nodes`` and ``of_training``.
- ``exclusions``: what no report says at once.
- ``held_out_gain``: do cells explain what was held out better than one Gaussian does?
- ``few_values``: warns where what is filled in rests on hardly any values.
- ``missing``: where values are missing more often than by chance.
- ``repeats``: do rows look like repeats of fewer units, where nobody said so?
- ``one_value``: nodes that are one value of one column; columns of zeros and ones.
"""
