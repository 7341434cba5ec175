"""The file format of ``save`` and ``load``.

Imports ``_fit``, ``_inference`` and what lies below them.
"""
