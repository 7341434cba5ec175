"""A differentiable DAG: its edges, and the order of its nodes (Eq. 6-8, Corollary C.5)."""

from __future__ import annotations

import torch
from torch import Tensor


def edge_indicator(scores: Tensor, metric: Tensor, temperature: float = 1.0) -> Tensor:
    r"""Return the regularized edge indicator of a DAG (Eq. 6-8).

    :math:`E_{ij} = \mathrm{relu}(\tanh(B_{ij} (\xi_j - \xi_i) / \beta))`; ``E[i, j]`` means
    i -> j. An edge can only lead to a higher score, hence every E is acyclic (Theorem 2.1).

    Parameters
    ----------
    scores : Tensor of shape (n_nodes,)
        Node scores :math:`\xi`.
    metric : Tensor of shape (n_nodes, n_nodes)
        Nonnegative symmetric edge weights B; zeros remove an edge in either direction.
    temperature : float, default=1.0
        :math:`\beta > 0`; towards 0 the indicator becomes binary.

    Returns
    -------
    Tensor of shape (n_nodes, n_nodes)
        Edge weights in [0, 1]; 1 only by rounding.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import edge_indicator
    >>> edge_indicator(torch.tensor([0.0, 1.0]), torch.ones(2, 2), 0.01)
    tensor([[0., 1.],
            [0., 0.]])
    """
    flow = metric * (scores[None, :] - scores[:, None])
    return torch.relu(torch.tanh(flow / temperature))


def constrain_edges(edges: Tensor, required: Tensor, forbidden: Tensor) -> Tensor:
    """Return an edge indicator that respects knowledge about edges.

    Parameters
    ----------
    edges : Tensor of shape (n_nodes, n_nodes)
        Edge weights in [0, 1], acyclic.
    required : Tensor of shape (n_nodes, n_nodes)
        True for edges that are there; the scores must respect their order.
    forbidden : Tensor of shape (n_nodes, n_nodes)
        True for edges that are not.

    Returns
    -------
    Tensor of shape (n_nodes, n_nodes)
        Edge weights: 1 where required, 0 where forbidden.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import constrain_edges
    >>> nothing = torch.zeros(2, 2, dtype=torch.bool)
    >>> constrain_edges(torch.tensor([[0.0, 0.5], [0.0, 0.0]]), nothing, ~nothing)
    tensor([[0., 0.],
            [0., 0.]])
    """
    return torch.where(required, torch.ones_like(edges), edges.masked_fill(forbidden, 0.0))


def precede(scores: Tensor, precedence: Tensor) -> Tensor:
    r"""Return node scores that respect a partial order.

    A node that others must precede gets
    :math:`\max_{k \prec \ell} \xi_k + \mathrm{softplus}(\xi_\ell)`, the others keep theirs, so that
    every order that respects the precedence can be reached, and no other.

    Parameters
    ----------
    scores : Tensor of shape (n_nodes,)
        Free scores.
    precedence : Tensor of shape (n_nodes, n_nodes)
        True where k comes before l; acyclic.

    Returns
    -------
    Tensor of shape (n_nodes,)
        Scores that rise along the precedence.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import precede
    >>> first_before_second = torch.tensor([[False, True], [False, False]])
    >>> precede(torch.tensor([3.0, 0.0]), first_before_second)
    tensor([3.0000, 3.6931])
    """
    ordered = list(scores)
    for node in torch.argsort(topological_positions(precedence)).tolist():
        before = torch.nonzero(precedence[:, node]).flatten().tolist()
        if before:
            latest = torch.stack([ordered[k] for k in before]).amax()
            ordered[node] = latest + torch.nn.functional.softplus(scores[node])
    return torch.stack(ordered)


def topological_positions(adjacency: Tensor) -> Tensor:
    """Return the position of each node in an order in which parents come first.

    Nodes with fewer ancestors come earlier, and of those with equally many the first.

    Parameters
    ----------
    adjacency : Tensor of shape (n_nodes, n_nodes)
        True where k -> l; acyclic.

    Returns
    -------
    Tensor of int of shape (n_nodes,)
        The numbers from 0 to n_nodes - 1; they rise along the edges.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import topological_positions
    >>> topological_positions(torch.tensor([[False, False], [True, False]]))
    tensor([1, 0])
    """
    n_nodes = len(adjacency)
    paths = adjacency.double() + torch.eye(n_nodes).to(adjacency.device)
    n_ancestors = (torch.linalg.matrix_power(paths, n_nodes) > 0).sum(dim=0)
    return torch.argsort(topological_order(n_ancestors))


def topological_order(scores: Tensor) -> Tensor:
    r"""Return the order in which to traverse the DAG (Corollary C.5).

    The permutation is :math:`\mathrm{argsort}(\xi)`, stable where scores tie, so that
    parents come before their children.

    Parameters
    ----------
    scores : Tensor of shape (n_nodes,)
        Node scores.

    Returns
    -------
    Tensor of shape (n_nodes,)
        Node numbers, parents first.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import topological_order
    >>> topological_order(torch.tensor([0.3, -1.0, 0.1]))
    tensor([1, 2, 0])
    """
    return torch.argsort(scores, stable=True)
