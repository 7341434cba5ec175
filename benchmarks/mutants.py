"""Do the tests notice when the mathematics is wrong? Small faults, put in one at a time.

A seeded sample of mutants of the files in ``TABLE``, in proportion to the places where each file
can be changed. Each is written to a scratch copy of package and tests, never to the checkout, and
the tests that ``TABLE`` assigns to its file and the doctests of its module run against it, in a
process of their own (Unix only). A mutant is killed where one fails or takes over ten seconds.
Mutants that compute the same as the original are listed in ``EQUIVALENT`` with the reason; they
are not run and do not count.

    python benchmarks/mutants.py --n 150 --seed 0
    python benchmarks/mutants.py --n 40 --only _clustering/placements.py

The operators are described in ``mutant_operators.py``.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import math
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NoReturn

import pytest
from mutant_operators import Mutant, find_mutants

ROOT = Path(__file__).resolve().parents[1]
FUNCTIONAL = "tests/functional"
PARTS = ("skcausalpima", "tests", "pyproject.toml")  # of the repository
PRELOADED = ("torch", "networkx", "pandas", "scipy.stats", "sklearn.mixture", "sklearn.cluster")
FACTORS = "tests/clustering/test_factors_or_kinds.py"
FEW_SAMPLES = "tests/fit/test_few_samples.py"
QUESTIONS = "tests/clustering/test_three_questions.py"
RESTARTS = "tests/fit/test_restarts.py"
LATENT_DIMENSION = "tests/initialization/test_latent_dimension.py"
LINEARITY = "tests/initialization/test_linearity.py"
SIDES = "tests/initialization/test_sides.py"
STRUCTURED = "tests/inference/test_structured.py"
ARRANGEMENT = (
    "tests/clustering/test_placements.py",
    "tests/clustering/test_arrangement.py",
    QUESTIONS,
    "tests/clustering/test_random_means.py",
    "tests/data/test_known_nodes.py::test_arrangement_agrees_first_and_fits_second",
)

#: The files to mutate, each with the fast tests that answer for it.
TABLE = {
    "functional/_cluster_likelihood.py": (f"{FUNCTIONAL}/test_cluster_likelihood.py",),
    "functional/_dag.py": (f"{FUNCTIONAL}/test_dag.py",),
    "functional/_elbo.py": (f"{FUNCTIONAL}/test_elbo.py",),
    "functional/_gaussian.py": (f"{FUNCTIONAL}/test_gaussian.py",),
    "functional/_curve_fit.py": (f"{FUNCTIONAL}/test_cluster_likelihood.py",),
    "functional/_mixture.py": (f"{FUNCTIONAL}/test_mixture.py",),
    "functional/_potentials.py": (f"{FUNCTIONAL}/test_potentials.py",),
    "functional/_quadratic.py": (f"{FUNCTIONAL}/test_gaussian.py",),
    "functional/_tables.py": (f"{FUNCTIONAL}/test_dag.py",),
    "_structure/scores.py": ("tests/structure/test_search.py",),
    "graph/_elimination.py": (
        "tests/graph/test_elimination.py",
        "tests/graph/test_categorical_dag.py",
    ),
    "functional/_own_potentials.py": (f"{FUNCTIONAL}/test_potentials.py",),
    "_clustering/arrangement.py": ARRANGEMENT,
    "_clustering/placements.py": ARRANGEMENT,
    "_clustering/factors_or_kinds.py": (
        FACTORS,
        f"{QUESTIONS}::test_what_chance_explains_knows_no_units_names_and_order",
    ),
    "_clustering/contest.py": (
        "tests/clustering/test_contest.py",
        f"{QUESTIONS}::test_views_agree_alike_in_other_units_and_order",
    ),
    "_clustering/gaps.py": ("tests/clustering/test_gaps.py", QUESTIONS),
    "_clustering/independent_components.py": tuple(
        f"tests/clustering/test_independent_components.py::{name}"
        for name in (
            "test_components_that_fall_into_heaps_are_the_first",
            "test_few_samples_have_fewer_components",
            "test_components_are_the_sources_by_rising_kurtosis_in_any_units_and_from_any_origin",
            "test_scores_that_do_not_vary_or_repeat_are_no_components",
            "test_levels_are_few_values_of_a_column_that_varies",
        )
    ),
    "_contexts/alignment.py": ("tests/contexts/test_alignment.py",),
    "_contexts/fitted.py": (
        "tests/contexts/test_identification.py",
        "tests/contexts/test_moved_nodes.py",
    ),
    "_contexts/moved_nodes.py": ("tests/contexts/test_moved_nodes.py",),
    "_contexts/points.py": ("tests/contexts/test_alignment.py",),
    "_inference/posterior.py": (
        "tests/inference/test_posterior.py",
        f"{STRUCTURED}::test_of_a_linear_model_answers_are_exact",
        f"{STRUCTURED}::test_means_and_centres",
        f"{STRUCTURED}::test_negligible_components_are_left_out",
        f"{STRUCTURED}::test_what_is_known_of_nodes",
        f"{STRUCTURED}::test_many_components_are_looked_at_together",
        f"{STRUCTURED}::test_the_smallest_models",
        f"{STRUCTURED}::test_points_have_the_moments_of_their_component",
        f"{STRUCTURED}::test_probabilities_of_components",
        f"{STRUCTURED}::test_the_bound_is_what_drawing_says",
    ),
    "_training/sums.py": ("tests/training/test_sums.py",),
    "_training/filling.py": ("tests/training/test_filling.py",),
    "_training/potentials.py": (
        "tests/training/test_potentials.py",
        "tests/training/test_sharpening.py",
    ),
    "_training/distillation.py": ("tests/training/test_distillation.py",),
    "_initialization/principal_components.py": (
        "tests/initialization/test_incomplete_scores.py",
        "tests/initialization/test_principal_components.py",
        f"{LATENT_DIMENSION}::test_units_of_clusters_are_those_of_what_varies_within_them",
        f"{SIDES}::test_noise_is_that_of_probabilistic_pca",
        f"{SIDES}::test_noise_of_what_does_not_vary_is_positive",
        f"{SIDES}::test_scores_of_weighted_modalities_are_those_of_scaled_ones",
    ),
    "_initialization/latent_space.py": (LATENT_DIMENSION,),
    "_initialization/linear_parts.py": (
        f"{LINEARITY}::test_ratio_is_that_of_two_regressions",
        f"{LINEARITY}::test_squares_that_do_not_vary_are_none",
        f"{LINEARITY}::test_one_degree_of_freedom_is_enough",
        f"{LINEARITY}::test_too_little_to_know",
        f"{LINEARITY}::test_share_is_that_of_the_eigenvalues",
        f"{LINEARITY}::test_ratio_of_noise_is_about_one",
        f"{LINEARITY}::test_share_of_noise_is_about_one_however_unlike_columns_are",
        f"{LINEARITY}::test_wide_noise_beside_scores_is_linear_from_a_width_on",
        f"{LINEARITY}::test_default_networks_of_numbers_alone_are_asked",
        f"{LINEARITY}::test_noise_is_what_scores_leave_of_the_median_sample_in_any_units_and_from_any_origin",
        f"{LINEARITY}::test_one_sample_that_is_far_off_is_not_all_the_variance",
    ),
    "_fit/short_runs.py": ("tests/fit/test_short_runs.py",),
    "_fit/restarts.py": (
        f"{RESTARTS}::test_the_best_start_is_kept_whichever_comes_first",
        f"{RESTARTS}::test_a_start_that_diverges_is_left_out_by_its_number",
        f"{RESTARTS}::test_starts_that_came_to_their_end_go_before_those_that_were_cut_short",
        f"{RESTARTS}::test_an_interrupt_ends_the_starts_that_are_left",
        f"{RESTARTS}::test_a_fit_writes_its_data_once",
        f"{RESTARTS}::test_one_start_needs_no_workers",
    ),
    "_fit/few_samples.py": (
        f"{FEW_SAMPLES}::test_copies_share_the_mean_of_their_weights_in_any_order",
        f"{FEW_SAMPLES}::test_clear_cells_are_found_again",
        f"{FEW_SAMPLES}::test_unlike_weights_count_for_fewer_samples",
        f"{FEW_SAMPLES}::test_many_samples_and_other_starts_are_not_asked",
        f"{FEW_SAMPLES}::test_what_cannot_be_drawn_is_not_asked",
        f"{FEW_SAMPLES}::test_copies_of_one_row_count_once",
    ),
    "inspection/_edge_confidence.py": ("tests/inspection/test_edge_confidence.py",),
    "_data/ranks.py": ("tests/data/test_rank_questions.py", "tests/data/test_ranks.py"),
}

CHANCE = "differs where two numbers are equal to the last bit, which no data are"
SCHEDULE = "the way to the minimum, not the minimum"
#: Mutants that compute the same, by file and a part of the line that the mutation makes; with the
#: reason. Bounds of rounding errors, budgets and the damping's schedule say how a result is found
#: and not what it is.
EQUIVALENT = {
    (
        "_cluster_likelihood.py",
        "torch.where(self.counts > 0, self.counts, 2.0)",
    ): "zero over any number",
    ("_dag.py", "n_nodes) > 1)"): "no node counts itself then, and ancestors are reached in 2 ways",
    ("_dag.py", "stable=False"): "torch sorts stably on a CPU",
    ("_elbo.py", "x.shape[1], log_var"): "x has two axes",
    ("_curve_fit.py", "equal_nan=False"): "a sweep per point gives the same",
    ("_curve_fit.py", "diagonal > 0, diagonal, 2.0"): "derivatives are zero: so is the step",
    ("_curve_fit.py", "torch.where(used, jacobian, 1.0)"): "times weights that are zero",
    ("_curve_fit.py", "used[:, :, 0], residuals, 1.0"): "times derivatives that are zero",
    ("_curve_fit.py", "diagonal > 0, damping, 2.0"): "derivatives are zero: so is the step",
    ("_curve_fit.py", "MAX_DAMPING = 2"): SCHEDULE,
    ("_curve_fit.py", "max_iter: int = 51"): SCHEDULE,
    ("_curve_fit.py", "full_like(best, 0.002)"): SCHEDULE,
    ("_curve_fit.py", "damping * 0.2"): SCHEDULE,
    ("_curve_fit.py", "damping * 20.0"): SCHEDULE,
    ("_curve_fit.py", "clamp(1e-06, MAX_DAMPING)"): SCHEDULE,
    ("_curve_fit.py", "promised = 4.0 *"): SCHEDULE,
    ("_curve_fit.py", "step[index]).mean(dim=1)"): SCHEDULE,
    ("_curve_fit.py", "best + losses, 0.0"): "sweeps that change nothing any more",
    ("factors_or_kinds.py", "if not log_det <= 0.0"): "where it is zero the bound is one",
    ("factors_or_kinds.py", "N_POWERS = 61"): "a budget",
    ("scores.py", "1e-294"): "only for a total of zero: 0 log 0",
    ("_elimination.py", "strict=False"): "each factor has one node per axis",
    ("arrangement.py", "MAX_EXHAUSTIVE = 20001"): "a budget",
    ("arrangement.py", "sizes) < MAX_EXHAUSTIVE"): "a budget",
    ("arrangement.py", "np.full((2, len(sizes))"): "only the first row is read",
    ("arrangement.py", "max(2, sum("): "one known outcome: any arrangement can be named to agree",
    ("arrangement.py", "share > tolerated_share"): CHANCE,
    ("arrangement.py", "misfits.min(initial=2.0)"): "no misfit exceeds the total variation",
    ("arrangement.py", "is_tie = misfits[index] < "): CHANCE,
    ("arrangement.py", "smallest < TIE_TOLERANCE"): CHANCE,
    ("arrangement.py", "second < TIE_TOLERANCE"): CHANCE,
    ("arrangement.py", "effect.round(10)"): "digits below any meaning and above rounding",
    ("arrangement.py", "values >= 1e-9"): CHANCE,
    ("arrangement.py", "values > 1e-9 / values.max"): "singular values are rounding or above 0.01",
    ("arrangement.py", "values > 0.001 *"): "singular values are rounding or above 0.01",
    ("arrangement.py", "values.max(initial=1.0)"): "a column of ones: the largest is at least 1",
    ("arrangement.py", "np.square((-(basis.T))"): "a sign that is squared",
    ("filling.py", "whole.shape[2]"): "matrices are square",
    (
        "filling.py",
        ".sum(dim=1).clamp_min(least)",
    ): "a bound of rounding errors, some times as large",
    ("filling.py", "zip(*parts, strict=False)"): "each gap has four fields",
    ("filling.py", "values, strict=False)"): "one value for each",
    ("filling.py", "N_ROUNDS_OF_WHOLE = 6, 2"): "a budget",
    ("filling.py", "N_ROUNDS_OF_WHOLE = 5, 3"): "a budget",
    ("filling.py", "zip(around, others, strict=False)"): "both have three fields",
    ("filling.py", "gaps=gaps and None"): "rounds do not ask what gaps say of rows",
    ("principal_components.py", "N_ITER = 51"): "a budget",
    ("principal_components.py", "ROWS_OF_SVD = 10001"): "a budget",
    ("principal_components.py", "NOISE_TURNS = 1001, 3"): "a budget",
    ("principal_components.py", "NOISE_TURNS = 1000, 4"): "a budget",
    ("principal_components.py", "labels.max() + 2"): "a cluster of nobody",
    ("principal_components.py", "5 * n_components + 20"): "two ways to the same components",
    ("principal_components.py", "4 * n_components + 21"): "two ways to the same components",
    ("principal_components.py", "(-((singular[:n_found, None]"): "axes have no sign",
    ("latent_space.py", "(-(points)) / points.std"): "mirrored points have the same clusters",
    ("latent_space.py", "MAX_DIM = 41"): "a budget",
    ("latent_space.py", "N_STARTS = 11"): "a budget",
    ("latent_space.py", "len(rows)) < planned"): "asked of the scores, too",
    ("latent_space.py", "shape[1] <= n_columns <= MAX_DIM"): "the same scores again",
    ("latent_space.py", "if more >= scores.scaled.shape[1]"): "the same scores again",
    ("latent_space.py", "of_all < max("): CHANCE,
    ("latent_space.py", "gap <= GAP_IN_SCORES"): CHANCE,
    ("latent_space.py", "by_all >= by_first"): CHANCE,
    ("linear_parts.py", "(-(rest)) @ rest.T"): "a sign that is squared",
    ("linear_parts.py", "(-(rest.T)) @ rest"): "a sign that is squared",
    ("linear_parts.py", "np.square((-(u.T)) @ x)"): "a sign that is squared",
    ("linear_parts.py", "np.square(part).mean(axis=1)"): "compared with each other",
    ("linear_parts.py", "noise_share(x, scores) >= "): CHANCE,
    ("linear_parts.py", "quadratic_ratio(x, scores) <= "): CHANCE,
    ("linear_parts.py", "left <= NOISELESS"): CHANCE,
    ("short_runs.py", "_oddness(agreement) >= ODD_RUN"): CHANCE,
    ("ranks.py", 'self._told(""), strict=False'): "a number and a text of each",
    ("principal_components.py", "strict=False"): "one of each modality",
    ("principal_components.py", "full_matrices=True"): "left singular vectors are not used",
    ("principal_components.py", "(-(self.means"): "axes have no sign",
    ("short_runs.py", "MAX_CELLS = 20001, 128"): "a budget",
    ("short_runs.py", "MAX_CELLS = 20_000, 129"): "a budget",
    ("sums.py", "strict=False"): "one number for each name",
    ("linear_parts.py", "terms = (-(z[:, rows]))"): "what terms explain does not depend on signs",
    ("posterior.py", "(None, encoders), strict=False"): "two kinds of rows, two encoders",
    ("posterior.py", "MAX_PAIRS = 129, 4096"): "a budget",
    ("posterior.py", "MAX_PAIRS = 128, 4097"): "a budget",
    ("posterior.py", "half = (-(half)) @"): "draws come in pairs of either sign",
    ("posterior.py", "zeros_like(answered.log_gamma[1])"): "one number for each sample",
    ("posterior.py", "< MANY_COMPONENTS"): "both ways have the same points",
    ("posterior.py", "log_gamma > log_gamma.max"): CHANCE,
    ("independent_components.py", "MAX_ITER, TOL = 201"): "a budget",
    ("factors_or_kinds.py", "N_SEARCHED = 1001, 999"): "a budget",
    ("factors_or_kinds.py", "N_SEARCHED = 1000, 1000"): "a budget",
    ("factors_or_kinds.py", "999, 200, 99"): "a budget",
    ("factors_or_kinds.py", "999, 199, 100"): "a budget",
    ("factors_or_kinds.py", "N_ERRORS = 200"): "a budget",
    ("factors_or_kinds.py", "(-(points)) / (np.abs"): "mirrored points lie alike",
    ("factors_or_kinds.py", "compute_uv=False)[: len(centred) + 1]"): "one more, which is rounding",
    ("factors_or_kinds.py", "(parts >= max("): CHANCE,
    ("factors_or_kinds.py", "marks = (-(mask)) *"): "a sign that is squared",
    ("factors_or_kinds.py", "y = (-(mask)) * (y"): "a sign that is squared",
    ("factors_or_kinds.py", "units = (-(axes))"): "axes have no sign",
    ("factors_or_kinds.py", "reshape(n_sets, -2, size"): "any negative number is what is left",
    ("gaps.py", "_N_POINTS = 51"): "a budget",
    ("gaps.py", "within.T @ within * max(len(within)"): "a discriminant has no length",
    ("gaps.py", "max(len(within) + 2, 1)"): "a discriminant has no length",
    ("alignment.py", "len(free), -2)"): "any negative number is what is left",
    ("_edge_confidence.py", "(21 if kept"): "a budget",
    ("_edge_confidence.py", "else 201)"): "a budget",
    ("alignment.py", "2**32 - 1"): "another seed",
    ("alignment.py", "3**31 - 1"): "another seed",
    ("alignment.py", "2**31 - 2"): "another seed",
    ("alignment.py", "shares).min() <= LEAST_OVERLAP"): CHANCE,
    ("few_samples.py", "data.arrays, strict=False)"): "one of each modality",
    ("distillation.py", "outputs, strict=False)"): "two of each",
    ("potentials.py", "torch.where(counts > 0, counts, 2.0)"): "zero over any number",
    ("principal_components.py", "[(-(block)) / unit for"): "a sign that is squared",
    ("alignment.py", "FEW_ITER = 16, 200, 3"): "a budget",
    ("alignment.py", "FEW_ITER = 15, 201, 3"): "a budget",
    ("alignment.py", "FEW_ITER = 15, 200, 4"): "a budget",
    ("alignment.py", "N_MIXTURES = 4, 2"): "a budget",
    ("alignment.py", "N_MIXTURES = 3, 3"): "a budget",
    ("alignment.py", "LAID_KEPT = 201, 400, 5"): "a budget",
    ("alignment.py", "LAID_KEPT = 200, 401, 5"): "a budget",
    ("alignment.py", "LAID_KEPT = 200, 400, 6"): "a budget",
    ("alignment.py", "N_REFERENCES = 4"): "a budget",
    ("_own_potentials.py", "NUMBERS_AT_ONCE = 3**21"): "a budget",
    ("_own_potentials.py", "NUMBERS_AT_ONCE = 2**22"): "a budget",
    ("potentials.py", "N_ROWS = 129"): "a budget",
    ("potentials.py", "STRIDE = 5"): "a budget",
    ("potentials.py", "LEAST_ROWS = 20001, 20"): "a budget",
    ("potentials.py", "N_ROUNDS = 9"): "a budget",
    ("distillation.py", "MIN_STEPS = 41"): "a budget",
    ("distillation.py", "IF_INCOMPLETE = 4"): "a budget",
    ("distillation.py", "MAX_CALIBRATION = 0.2, 301"): "a budget",
    ("distillation.py", "CALIBRATION_RATE = 31, 0.15"): "a budget",
    ("placements.py", "_N_RESTARTS = 201"): "a budget",
    ("placements.py", "_N_POLISHED = 6"): "a budget",
    ("placements.py", "1e-12 * (2.0 - self"): "a bound of rounding errors, twice as large",
    ("placements.py", "self.bonus.min(initial=1.0)"): "no bonus is above zero",
    ("placements.py", "20.0 * agreeing"): "any number above 1 exceeds the misfits",
    ("placements.py", "axis=1) <= 1e-9"): CHANCE,
    ("placements.py", "hermitian=False"): "the same inverse",
    ("placements.py", "cost[rows, new].sum() <= problem.tolerance"): CHANCE,
    ("placements.py", "gain[first, second] < problem.tolerance"): CHANCE,
    ("placements.py", "misfits.min() > misfit - problem.tolerance"): CHANCE,
}

MEMORY = 12 * 2**30  # bytes that the tests of a mutant may take
TEST_SECONDS = 10  # of the processor, for a test of a mutant
RUN_SECONDS = 1800  # for all of them, on the clock of a machine that others use, too


def mutants_of(file: str) -> list[Mutant]:
    """Return all mutants of a file of the package."""
    return find_mutants(file, (ROOT / "skcausalpima" / file).read_text())


def entries(mutant: Mutant, source: str) -> set[tuple[str, str]]:
    """Return the entries of the list that name the line that a mutant makes."""
    begin = source.rfind("\n", 0, mutant.start) + 1
    old, new = (text[begin:].split("\n", 1)[0] for text in (source, mutant.apply(source)))
    name = Path(mutant.file).name
    return {(f, part) for f, part in EQUIVALENT if f == name and part in new and part not in old}


def check_equivalent(mutants: dict[str, list[Mutant]], sources: dict[str, str]) -> None:
    """Raise an error unless the list names mutants that there are, of these files."""
    names = {Path(file).name for file in mutants}
    stated = {entry for entry in EQUIVALENT if entry[0] in names}
    named = {
        entry for file in mutants for m in mutants[file] for entry in entries(m, sources[file])
    }
    if stated - named:
        raise RuntimeError(f"EQUIVALENT names mutants that are not there: {stated - named}.")


def sample(mutants: dict[str, list[Mutant]], n: int, seed: int) -> list[Mutant]:
    """Draw n mutants, of each file in proportion to how many it has."""
    total = sum(map(len, mutants.values()))
    n = min(n, total)
    shares = {file: n * len(found) / total for file, found in mutants.items()}
    numbers = {file: math.floor(share) for file, share in shares.items()}
    by_remainder = sorted(shares, key=lambda file: numbers[file] - shares[file])
    for file in by_remainder[: n - sum(numbers.values())]:
        numbers[file] += 1
    rng = random.Random(seed)
    drawn = [rng.sample(found, numbers[file]) for file, found in mutants.items()]
    return [mutant for some in drawn for mutant in sorted(some, key=lambda m: m.start)]


class TimeLimit:
    """A plugin that ends the process in which a test takes too long."""

    def pytest_runtest_setup(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, TEST_SECONDS)


class Scratch:
    """A copy of package and tests in which mutants are run, one at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.parent = folder, os.getppid()
        hidden = shutil.ignore_patterns("__pycache__", ".*")
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, folder / part, ignore=hidden)
            else:
                shutil.copy(ROOT / part, folder / part)

    def passes(self, file: str, bytecode: bool = False) -> bool:
        """Tell whether the tests of a file pass, in a process of their own."""
        child = os.fork()
        if child == 0:
            self._test(file, bytecode)
        end = time.monotonic() + RUN_SECONDS
        while time.monotonic() < end and os.getppid() == self.parent:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status) == 0
            time.sleep(0.02)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if os.getppid() != self.parent:  # ended from outside: leave nothing running
            os._exit(1)
        return False

    def _test(self, file: str, bytecode: bool) -> NoReturn:
        """Run the tests of a file and end this process with their exit code."""
        code = 1
        try:
            os.chdir(self.folder)
            sys.path.insert(0, str(self.folder))
            sys.dont_write_bytecode = not bytecode
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            for stream in (1, 2):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
            options = ["-x", "-q", "-p", "no:cacheprovider", "--doctest-modules"]
            tests = [*TABLE[file], f"skcausalpima/{file}"]
            code = pytest.main([*options, *tests], plugins=[TimeLimit()])
        finally:
            os._exit(code)

    def survives(self, mutant: Mutant) -> bool:
        """Tell whether a mutant passes the tests of its file."""
        path = self.folder / "skcausalpima" / mutant.file
        source = path.read_text()
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
            compiled.unlink()  # it would stand for a change of the same size in the same second
        path.write_text(mutant.apply(source))
        try:
            return self.passes(mutant.file)
        finally:
            path.write_text(source)


def start_worker(folder: str) -> None:
    """Make this process's scratch copy, and import once what all mutants import, but not ours."""
    global scratch
    scratch = Scratch(Path(tempfile.mkdtemp(dir=folder)))
    for name in PRELOADED:
        importlib.import_module(name)
    if "skcausalpima" in sys.modules:
        raise RuntimeError("The package must not be imported before its mutants are.")


def check_original(file: str) -> None:
    """Raise an error unless the tests of a file pass without any mutant."""
    if not scratch.passes(file, bytecode=True):
        raise RuntimeError(f"The tests of {file} fail without any mutant: {TABLE[file]}.")


def survives(mutant: Mutant) -> bool:
    """Run one mutant in this process's scratch copy."""
    return scratch.survives(mutant)


def run(drawn: list[Mutant], jobs: int) -> Iterator[tuple[Mutant, bool]]:
    """Yield each mutant and whether it survived."""
    os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy and PyTorch are imported, as in conftest.py
    context = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(jobs, context, start_worker, (folder,)) as pool,
    ):
        files = sorted({mutant.file for mutant in drawn})
        list(pool.map(check_original, files))
        yield from zip(drawn, pool.map(survives, drawn), strict=True)


def difference(mutant: Mutant, source: str) -> str:
    """Return a mutant as a diff."""
    before_and_after = source.splitlines(), mutant.apply(source).splitlines()
    lines = difflib.unified_diff(*before_and_after, mutant.file, mutant.operator, n=1, lineterm="")
    return "\n".join(lines)


def table(counts: dict[str, list[int]]) -> str:
    """Return the numbers of each file and of all as a table in Markdown."""
    rows = [
        *counts.items(),
        ("all", [sum(column) for column in zip(*counts.values(), strict=True)]),
    ]
    lines = ["| file | mutants | killed | equivalent | survived |", "|---|---|---|---|---|"]
    for file, (n, killed, equivalent) in rows:
        lines.append(f"| {file} | {n} | {killed} | {equivalent} | {n - killed - equivalent} |")
    n, killed, equivalent = rows[-1][1]
    share = killed / max(1, n - equivalent)
    return "\n".join([*lines, "", f"Killed: {100 * share:.1f} % of those not equivalent."])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n", type=int, default=150, help="number of mutants")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--only", metavar="FILE", help="a name that ends like one of the table's")
    parser.add_argument("--jobs", type=int, default=1, help="mutants at a time")
    options = parser.parse_args()
    files = [file for file in TABLE if options.only is None or file.endswith(options.only)]
    if not files:
        parser.error(f"--only must be one of {', '.join(TABLE)}, got {options.only}.")
    sources = {file: (ROOT / "skcausalpima" / file).read_text() for file in files}
    mutants = {file: mutants_of(file) for file in files}
    check_equivalent(mutants, sources)
    drawn = sample(mutants, options.n, options.seed)
    counts, survivors, asked = {file: [0, 0, 0] for file in files}, [], []
    for mutant in drawn:
        same = bool(entries(mutant, sources[mutant.file]))
        counts[mutant.file][0] += 1
        counts[mutant.file][2] += same
        asked += [] if same else [mutant]
    for mutant, survived in run(asked, options.jobs):
        counts[mutant.file][1] += not survived
        survivors += [mutant] if survived else []
        where = f"{mutant.file}:{mutant.line}"
        print("survived" if survived else "killed  ", where, mutant.operator, file=sys.stderr)
    print(table(counts))
    for mutant in survivors:
        print(f"\n{difference(mutant, sources[mutant.file])}")


if __name__ == "__main__":
    main()
