"""Ranks that are threads of this process: what ranks do together, without further processes."""

import functools
import operator
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

from skcausalpima._data.ranks import Ranks


class Exchange:
    """What ranks have said, by the number of the question and the rank."""

    def __init__(self):
        self.changed, self.said, self.ended = threading.Condition(), defaultdict(dict), set()

    def end(self, rank):
        with self.changed:
            self.ended.add(rank)
            self.changed.notify_all()


class ThreadRank(Ranks):
    """One of several threads that run the same code, each on rows of its own."""

    def __init__(self, rank, n_ranks, exchange):
        self.rank, self.n_ranks, self.exchange, self.n_asked = rank, n_ranks, exchange, 0

    def of_all(self, value):
        said, changed = self.exchange.said[self.n_asked], self.exchange.changed
        self.n_asked += 1
        with changed:
            said[self.rank] = value
            changed.notify_all()
            changed.wait_for(lambda: len(said) == self.n_ranks or self.exchange.ended - {*said}, 30)
        if len(said) < self.n_ranks:
            raise RuntimeError("a rank has ended")
        return [said[rank] for rank in range(self.n_ranks)]

    def total(self, value):
        return functools.reduce(operator.add, self.of_all(value.detach().clone()))


def on_ranks(function, n_ranks=2):
    """Return what a function of the rank returns, or raises, on each of some ranks."""
    exchange = Exchange()

    def run(rank):
        try:
            return function(ThreadRank(rank, n_ranks, exchange))
        except Exception as error:
            return error
        finally:
            exchange.end(rank)

    with ThreadPoolExecutor(n_ranks) as pool:
        return list(pool.map(run, range(n_ranks)))


def fits_on_ranks(monkeypatch, make, X, n_ranks=2, **given):
    """Return what estimators are, each fitted to every second row and so on, or what fit raises.

    ``make`` returns one of a rank; what else ``fit`` is given has a row for each sample, too.
    """
    here = threading.local()
    monkeypatch.setattr("skcausalpima._fit.whole.process_group", lambda asked: here.ranks)

    def fit(ranks):
        here.ranks = ranks
        rows = slice(ranks.rank, None, n_ranks)
        of_rank = {name: values[rows] for name, values in given.items()}
        return make(ranks.rank).fit([array[rows] for array in X], **of_rank)

    return on_ranks(fit, n_ranks)
