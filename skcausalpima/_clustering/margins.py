"""The numbers that decide where a fit begins, whether it is stable, and what is said of it.

Three questions are asked of clusterings: do they agree, are clusters apart, has the grid one place
for them. Each number has its unit in brackets, and its evidence, or the word *arbitrary*. *Moves*
are those of ``benchmarks/margins.py``, of numbers that the starts of families come to: how many of
45 change where the number is halved / doubled (seeds 200 to 305, December 2026), and by how much
the adjusted Rand index with the true cells does, in the mean, with its standard error.
"""

from __future__ import annotations

# --- Do clusterings agree? -----------------------------------------------------------------------

#: [adjusted Rand index of a node, or of cells] Nodes, and short runs, whose labels agree so far are
#: the same. Arbitrary.
AGREEING = 0.9

#: [share of equal labels] Candidates whose agreement differs by less are agreed with alike, and
#: clusters that fewer samples left are the same. Arbitrary. Moves 1 / 0 (+.000 se .000, 0).
SAME_AGREEMENT = 0.02

#: [share of equal labels of nodes] From here on clusterings are the same but for errors: samples
#: that are clear keep their cell in training, refits may be those of the mixture alone, and a
#: search for nodes of many cells has found what it had. Evidence: of refits, benchmarks/refits.py
#: (of .9 to .95 shares of adjacencies differ from whole refits by .13, from .95 on by chance).
AGREED = 0.95

#: [probability] A sample whose most probable cell has more than this is a clear one; where outcomes
#: of nodes of many cells are less certain in the mean, there are hardly any. Arbitrary.
CLEAR_SAMPLE = 0.9

#: [adjusted Rand index of nodes] By so much more must clusterings agree for a view, or for all
#: scores, to be taken. Arbitrary. Moves 1 / 0 (-.001 se .001, 0).
BETTER_VIEW = 0.03

#: [adjusted Rand index of nodes] The same for other weights of modalities, units of columns, and
#: independent components. Evidence: of views that are equally good, but for their noise, another is
#: taken in .15 of 200 draws; two of their standard errors in its place take .04, and lose .012 (se
#: .006) in 120 families (2080-2199): what the data propose is right more often than not. Moves 2
#: / 1 (+.004 se .004, -.002 se .002).
BETTER_WEIGHTS = 0.08

#: [adjusted Rand index of nodes, or of cells] Where clusterings without views agree less, the data
#: say little against views (edges and peaks that move are such data), and independent components
#: may show clusters that hide. Arbitrary. Moves 1 / 0 (+.002 se .002, 0).
SURE_WITHOUT_VIEWS = 0.8

#: [adjusted Rand index of nodes] Views are taken, and tables of numbers trained by elements, unless
#: clusterings agree so much less. Arbitrary. Moves 0 / 0.
WORSE_VIEW = 0.2

#: [adjusted Rand index of cells] Fits that agree less than this, in the median of pairs, are
#: unstable. Arbitrary.
LEAST_AGREEMENT = 0.8

#: [adjusted Rand index of cells] Where a fit agrees less than this with other starts, such fits are
#: to be expected. Arbitrary.
LEAST_OF_STARTS = 0.78

#: [adjusted Rand index of cells] It is, where they agree by so much more than with it. Arbitrary.
ODD_RUN = 0.1

#: [adjusted Rand index of cells] So far must parts of the samples agree on clusters that make a
#: grid. Arbitrary.
AGREED_GRID = 0.7

#: [adjusted Rand index of a node] Agreements that differ by less are alike: then more outcomes tell
#: more. Arbitrary.
ALIKE_SIZES = 0.05

#: [adjusted Rand index of a node] Where none is better than this, the smallest node stands for all.
#: Arbitrary.
AGREED_BY_CHANCE = 0.5


# --- Are there enough samples? -------------------------------------------------------------------

#: [samples] Fits to fewer distinct ones ask whether draws of theirs are found again. Evidence: from
#: here on few fits that are called fine are wrong (benchmarks/verdict.py).
FEW_SAMPLES = 300

#: [adjusted Rand index of a node] A draw is found again where each node agrees so far. Evidence: of
#: two outcomes an accuracy of .95 comes to it, from which on benchmarks/verdict.py calls nodes
#: right. Of 244 fits to 80 to 200 samples (benchmarks/few_samples.py, choosing) draws of 80 are
#: found again, 7 of which are wrong, and of 54 of 79 right ones; .75: 88, 10 and 57; .85: 59, 3
#: and 39; .9: 40, 2 and 25.
FOUND_AGAIN = 0.8

#: [draws] As many are asked, unless too many were not found again before. Arbitrary.
DRAWS_OF_FIT = 10

#: [draws] As many of these may be lost. Arbitrary.
MISSED_DRAWS = 1

#: [times the samples] Nobody asks whether more would be enough: they take long. Arbitrary.
MOST_TIMES = 5.0


# --- Are clusters apart? -------------------------------------------------------------------------

#: [share of samples] A smaller cluster is merged before any other. Arbitrary. Moves 2 / 5 (+.016 se
#: .013, +.001 se .005).
LEAST_CLUSTER = 0.01

#: [lift of two clusters] Clusters of a smaller lift do not overlap. Arbitrary. Moves 0 / 0.
ISOLATED_LIFT = 0.02

#: [lift of two clusters] Pieces of one cluster overlap at least as much. Arbitrary. Moves 0 / 0.
SPLIT_LIFT = 0.2

#: [density between two cells, relative to theirs] From here on there is no gap between cells.
#: Arbitrary.
NO_GAP = 0.8

#: [the same] There must be so many samples between cells that this density would hardly have them.
#: Arbitrary.
HALF_AS_DENSE = 0.5

#: [probability] So probable, at most, are as many samples at half that density. Arbitrary.
FALSE_ALARMS = 0.1

#: [samples of a cell] Fewer say nothing of a gap, and fewer than there are features, or, of the
#: sums over many pairs, than half of that: then discriminants are noise. Arbitrary.
LEAST_OF_GAP = 4

#: [density between clusters, relative to that around their means] Clusters of all scores have less.
#: Evidence: that of Gaussians four standard deviations apart. Moves 0 / 0.
GAP_IN_SCORES = 0.4

#: [mean probability of the likeliest cluster] Clusters lie apart by the own noise of columns from
#: here on. Evidence: halves of a uniform column have .95. Moves 0 / 0.
SURE_BY_NOISE = 0.965

#: [standard deviations of a column] Largest spread within its halves of a column that falls into
#: these. Evidence: that of outcomes four standard deviations apart; uniform columns have .5, normal
#: ones .6. Moves 0 / 0.
SPREAD_OF_HALVES = 0.447

#: [mean probability of the likeliest cluster] One noise for all columns merges clusters where it
#: makes them so much less probable. Arbitrary. Moves 0 / 0.
MERGED_BY_ONE_NOISE = 0.01

#: [mean probability of the likeliest outcomes] Less certain nodes of many cells are told of.
#: Evidence: there 3 % of the labels of a fit are wrong, .005 more than in the search.
CERTAIN = 0.975

#: [share of labels of a node] Where training changes as many, nodes were found that are not those
#: of the data, as where objects in images hide each other. Arbitrary.
CHANGED_NODES = 0.025

#: [nats per sample] Log-likelihoods that differ by less are of the same nodes. Arbitrary.
SAME_NODES_BOUND = 5e-3

#: [noise] A component that varies by so many times the noise is no noise. Arbitrary.
SIGNAL = 2.0

#: [share of samples] So many without clusters: to seek nodes anew takes long, and brings nothing.
#: Arbitrary.
HOPELESS = 0.15

#: [samples of a cell] Cells with less are empty. Arbitrary.
LEAST_COUNT = 0.5

#: [lift of two clusters] Clusters of a fit may overlap so much. Evidence: those that ignore each
#: other do.
MAX_OVERLAP = 1.0

#: [part of the probabilities of a cell] No part as large may be of another cell. Evidence: two
#: Gaussians of one width share as much where they are 2.2 standard deviations apart; from 2 down
#: they have one peak.
MAX_SHARED = 0.2


# --- Has the grid one place for them? ------------------------------------------------------------

#: [ratio of misfits] Arrangements that leave less than this times the least unexplained are near
#: ties. Arbitrary. Moves 1 / 3 (-.002 se .002, +.004 se .005).
NEAR_TIE = 1.05

#: [ratio of misfits] How many times as much as another candidate's an arrangement may leave
#: unexplained; arrangements of random means that do so are beaten in any case. Evidence: 2400
#: spectra (seed 101) began with a clustering agreed with by .851 that left three times as much as
#: those of .850; its nodes were right in .80. Moves 12 / 0 (-.002 se .003, 0).
WORSE_FIT = 2.0

#: [ratio of gaps] How many times as much as its own gap to the next arrangement another's may be.
#: Arbitrary. Moves 4 / 2 (+.002 se .004, -.002 se .002).
LESS_CLEAR = 2.0

#: [ratio of misfits, less one] A gap to the next arrangement of so much is as clear as any larger
#: one. Arbitrary. Moves 0 / 0.
CLEAR_GAP = 1.0

#: [p-value] A node is told by its own, and a direction in which means differ exceeds draws of
#: errors but for so many. Evidence: a convention.
SMALL_P = 0.05

#: [p-value] Beside a whole that is told, a node is told by a larger one. Evidence: so told are
#: kinds of 14 sorts on (2, 2), (2, 3) and (2, 2, 2), with 20 columns of noise more or without, in
#: at most .11 of 150 draws each, and sums in all (benchmarks/factors.py --means).
MODEST_P = 0.2

#: [part of the largest singular value of the means] A direction must have it. Evidence: kinds in a
#: row, as of a dose, lie on any grid, and differ a little otherwise, too; by a fifth of a step they
#: are told in .0 to .03 of 60 draws, .3 to .9 without a limit; sums of effects whose lengths are as
#: .4 to 1 in .77 to 1.00; right grids of benchmarks/factors.py have .37 at least.
LEAST_PART = 0.3

#: [part of the differences between outcomes] Of more cells than are laid a node must explain as
#: much. Evidence: of trees of 81 to 128 cells that the bound lets pass, some node explains .4 at
#: most.
LEAST_EXPLAINED = 0.5

#: [part of the scatter between the effects of outcomes] Outcomes of which so much is along one
#: direction lie on a line. Evidence: benchmarks/axes.py (90 of 90 rows, 0 of 90 triangles, from 2
#: standard deviations on).
IN_A_ROW = 0.9

#: [score of a grid for each unit of agreement] What agreement counts beside misfit. Arbitrary.
AGREEMENT_COUNTS = 3.0

#: [score of a grid] What each further node counts: the clusters of a grid also lie well on one with
#: fewer nodes. Arbitrary.
NODE_COUNTS = 0.25


# --- Which family is there to propose? -----------------------------------------------------------

#: [components] A curved cluster is a chain of Gaussians. Arbitrary. Moves 3 / 0 (+.004 se .005, 0).
COMPONENTS_PER_CLUSTER = 6

#: [samples per component and dimension] A mixture needs at least so many. Evidence: of 350 other
#: families (seeds 2080-2279, 6000-6149) 3 changes 40 starts (+.005 se .003), 2 changes 68 (+.008 se
#: .005). Moves 12 / 9 (+.036 se .020, -.006 se .003).
ROWS_PER_DIMENSION = 4

#: [samples per dimension] Fewer lie in a plane, and overlap nothing by that. Arbitrary. Moves 0 /
#: 0.
ROWS_OF_ISOLATED = 3

#: [cells] Grids of no more have their clusters found first, which are then laid on them. Arbitrary.
FEW_CELLS = 128

#: [cells] Larger grids are not searched: responsibilities of so many cells take too long.
#: Arbitrary.
MAX_SEARCHED = 1024

#: [eigenvalue of correlations] With less a column is a sum of others. Arbitrary.
LEAST_EIGENVALUE = 1e-4

#: [share of the numbers] More may not be filled in where they vary together. Arbitrary.
MAX_FILLED = 0.1


# --- What do the samples look like from there? ---------------------------------------------------

#: [samples] For each number that is estimated (a variance of numbers in a class, a column's spread
#: in a cluster, a score or a product of scores that is looked at) there are so many. Arbitrary.
#: Moves 0 / 0.
SAMPLES_PER_NUMBER = 10

#: [principal scores] Clusters of embeddings are sought in so many, or in two for each effect of the
#: nodes where these are more. Arbitrary.
SCORES_OF_EMBEDDINGS = 20

#: [samples] Clusters of embeddings are sought in no more; others are assigned to them. Arbitrary.
ROWS_OF_EMBEDDINGS = 20_000

#: [effective number of columns, per column] Columns vary alike from here on. Arbitrary. Moves 0 /
#: 0.
ALIKE_COLUMNS = 0.9

#: [ratio of evidences] All scores must speak so many times more for clusters than the first ones
#: do. Arbitrary. Moves 0 / 0.
TIMES_THE_EVIDENCE = 1.1

#: [nats] All scores must speak by so many more for clusters than the first ones do. Evidence: "very
#: strong" (Kass and Raftery, 1995). Moves 0 / 0.
CLEAR_EVIDENCE = 5.0

#: [share of samples] Samples whose class all scores tell, and the planned ones do not. Arbitrary.
#: Moves 0 / 0.
BETTER_TOLD = 0.01

#: [values] Columns and scores have at least so many; fewer would be clusters of their own, as of
#: zeros and ones. Arbitrary. Moves 0 / 0.
LEAST_VALUES = 20

#: [standard deviations] Values that lie so near to each other count as one. Arbitrary. Moves 0 / 0.
ONE_VALUE = 0.02

#: [elements] From here on what networks learn of the noise adds up to more than they may gain.
#: Arbitrary.
WIDE = 64

#: [ratio of variances] Below it squares and products of scores tell no more than noise would.
#: Arbitrary.
LEAST_RATIO = 1.2

#: [directions, relative to those of independent columns] What scores leave is noise if it is spread
#: over so many. Arbitrary.
SPREAD_OF_NOISE = 0.5

#: [nats per element] Noise of clusters must be more probable by so much, besides two standard
#: errors. Evidence: noise of .8 and 1.2 has .025 to .045, noise of .9 and 1.1 has .01.
UNLIKE_NOISE = 0.015

#: [columns] A table that is asked about its noise has so many more than scores. Evidence: what
#: scores of all modalities leave of few columns is no noise (.74 and .97 for 1.00).
MORE_THAN_SCORES = 3

#: [mean skewness of columns within clusters, less what samples make of none] From here on it is no
#: Gaussian noise that differs. Evidence: that has .04 to .38, exponentials of Gaussians .6 and
#: more.
SKEWED = 0.35

#: [directions, relative to those of independent noise] Noise must be spread over so many, since
#: decoders take columns for independent. Evidence: of six columns it has .83; 47 of handwritten
#: numerals, .31, lost .02.
INDEPENDENT = 0.6


# --- Is the fit at its end, and is it to be believed? --------------------------------------------

#: [spread of the bound between samples, per epoch] A bound that rises by more at last has not come
#: to its end. Arbitrary.
RISING = 0.05

#: [share of samples per epoch] Labels of which more change at last have not come to rest.
#: Arbitrary.
CHANGING = 0.05

#: [spread of the bound between samples] A bound that ends further below its best has turned, if its
#: mean over some epochs does: that of few samples goes up and down with the draws of their latent
#: points. Arbitrary.
FALLEN = 1.0

#: [mean Jaccard similarity] A cluster is highly stable from here on. Evidence: Hennig (2007); his
#: .75 for stable ones is for bootstrap samples, which share less than the training sets of five
#: folds do.
MIN_STABILITY = 0.85

#: [standard errors of a share of as many samples as the cell has] Similarities may be so many
#: smaller. Evidence: by chance they are in one case of twenty.
ERRORS_BELOW = 1.645

#: [mean Jaccard similarity] Below it no outcome is stable. Evidence: Hennig (2007).
LEAST_STABILITY = 0.75

#: [mean Jaccard similarity] A cell below it is dissolved. Evidence: Hennig (2007).
DISSOLVED = 0.5

#: [mean Jaccard similarity] What is less similar in the start than is asked of fits may be mended
#: by training, within this. Arbitrary.
MENDED = 0.25

#: [share of samples] Surer than right of draws of its own, besides two standard errors. Evidence:
#: of 141 fits of benchmarks/verdict.py that are right and fine none is alarmed (rectangles are .075
#: to .09 surer than right, with labels .99 right).
SURER_THAN_RIGHT = 0.1

#: [share of samples] More that training moved out of the cells they began in alarm. Evidence: as of
#: the last, none of 141.
MOVED_SHARE = 0.2

#: [adjusted Rand index of cells] By so much more other starts agree with each other than with a fit
#: that moved away from them. Arbitrary.
OTHERS_AGREE_MORE = 0.2

#: [mean probability] Outcomes that are less certain are in doubt. Arbitrary.
SURE_OF_OUTCOMES = 0.95

#: [mean probability of the least certain node] Cells that are not found again in draws of the fit
#: are sure all the same from here on, where draws agree by the next. Evidence: of right fits of
#: benchmarks/few_samples.py that were asked (right grids, "choosing", seeds 500-504) .35 were
#: alarmed without it and .25 with it; wrong were 6 of 68 and 6 of 84 called fine. On "judging",
#: seeds 20-23: .36 and .30, 2 of 77 and 5 of 91. Agreement of halves, fifths and bootstrap samples
#: of the rows separates right from wrong no better (areas .79 to .88; draws .91, certainty .92).
SURE_CELLS = 0.99

#: [mean adjusted Rand index of draws] Evidence: as of the last.
AGREEING_DRAWS = 0.5
