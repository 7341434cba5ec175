"""What a container of modalities has of a mapping from names to arrays."""

from __future__ import annotations

from collections.abc import ItemsView, KeysView, ValuesView

from .on_disk import Kept


class NamedArrays:
    """Arrays by name, as a mapping has them; what is long and iterated over is another matter."""

    names: tuple[str, ...]
    arrays: tuple[Kept | None, ...]

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def keys(self) -> KeysView[str]:
        """Return the names of the modalities, so that ``dict(X)`` has their arrays.

        Returns
        -------
        KeysView of str
            In order.
        """
        return dict(self.items()).keys()

    def values(self) -> ValuesView[Kept | None]:
        """Return the arrays of the modalities.

        Returns
        -------
        ValuesView of (ndarray or None)
            In the order of the names.
        """
        return dict(self.items()).values()

    def items(self) -> ItemsView[str, Kept | None]:
        """Return names and arrays of the modalities.

        Returns
        -------
        ItemsView of (str, ndarray or None)
            In order.
        """
        return dict(zip(self.names, self.arrays, strict=True)).items()
