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

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import MultimodalData
        >>> X = MultimodalData({"image": np.zeros((3, 4, 4)), "hue": np.ones((3, 2))})
        >>> list(X.keys())
        ['image', 'hue']
        """
        return dict(self.items()).keys()

    def values(self) -> ValuesView[Kept | None]:
        """Return the arrays of the modalities.

        Returns
        -------
        ValuesView of (ndarray or None)
            In the order of the names.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import MultimodalData
        >>> X = MultimodalData({"image": np.zeros((3, 4, 4)), "hue": np.ones((3, 2))})
        >>> [float(array.max()) for array in X.values()]
        [0.0, 1.0]
        """
        return dict(self.items()).values()

    def items(self) -> ItemsView[str, Kept | None]:
        """Return names and arrays of the modalities.

        Returns
        -------
        ItemsView of (str, ndarray or None)
            In order.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import MultimodalData
        >>> X = MultimodalData({"image": np.zeros((3, 4, 4)), "hue": np.ones((3, 2))})
        >>> {name: array.shape for name, array in X.items()}
        {'image': (3, 4, 4), 'hue': (3, 2)}
        """
        return dict(zip(self.names, self.arrays, strict=True)).items()
