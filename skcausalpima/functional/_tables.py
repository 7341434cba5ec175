"""Tables of nodes given their parents, and the joint distribution (Eq. 5, 9-14, Algorithm 1)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor

from ._kept import Kept


def table_logits_to_probabilities(logits: Tensor) -> Tensor:
    r"""Normalise the tables W of all nodes (Section 2.2).

    Table :math:`W^\ell` sums to 1 along its own axis :math:`\ell`, for every outcome of the
    other nodes.

    Parameters
    ----------
    logits : Tensor of shape (n_nodes, C_1, ..., C_L)
        Unnormalised log-probabilities, one table over the whole grid per node.

    Returns
    -------
    Tensor of shape (n_nodes, C_1, ..., C_L)
        Conditional probabilities.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import table_logits_to_probabilities
    >>> table_logits_to_probabilities(torch.zeros(1, 2))
    tensor([[0.5000, 0.5000]])
    """
    return torch.stack([torch.softmax(table, dim=node) for node, table in enumerate(logits)])


def mask_non_parents(tables: Tensor, edges: Tensor) -> Tensor:
    r"""Average out of every table the nodes that are no parents (Eq. 9-13).

    Along each axis :math:`k \ne \ell` table :math:`W^\ell` is contracted with
    :math:`v_k = \frac{1}{C_k} 1 - E_{k \ell} (\frac{1}{C_k} 1 - N_k)`, which leaves
    :math:`E_{k \ell} W^\ell + (1 - E_{k \ell}) \mathrm{mean}_k W^\ell`. (The paper's Eq. 13
    prints a sum over k; the contraction of Eq. 9 is a product over modes. Its Algorithm 1 prints
    :math:`E_{\ell k}`, which is zero for k < l; it is :math:`E_{k \ell}`.) The contractions
    commute, so one pass per axis serves all nodes at once.

    Parameters
    ----------
    tables : Tensor of shape (n_nodes, C_1, ..., C_L)
        Conditional probabilities; table l sums to 1 along axis l.
    edges : Tensor of shape (n_nodes, n_nodes)
        Edge weights in [0, 1]; ``edges[k, l]`` means k -> l.

    Returns
    -------
    Tensor of shape (n_nodes, C_1, ..., C_L)
        :math:`\pi_\ell = p(N_\ell | Pa(N_\ell))`, constant along axes that are no parents.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import mask_non_parents
    >>> tables = torch.tensor([[[0.9, 0.2], [0.1, 0.8]], [[0.5, 0.5], [0.5, 0.5]]])
    >>> mask_non_parents(tables, torch.zeros(2, 2))[0]
    tensor([[0.5500, 0.5500],
            [0.4500, 0.4500]])
    """
    if len(tables) == 1:
        return tables  # a node's own axis stays
    own_axis = torch.eye(len(tables), dtype=torch.bool, device=tables.device)
    return MeansOverAxes.apply(tables, edges.masked_fill(own_axis, 1.0))


def log_joint(tables: Tensor, edges: Tensor) -> Tensor:
    r"""Return the log of the joint distribution A of the nodes (Eq. 14, Algorithm 1).

    :math:`A = \prod_\ell p(N_\ell | Pa(N_\ell))` over the whole grid. It sums to 1 whenever
    the edges are acyclic, so no order of traversal is needed, and relabelling the nodes
    permutes the axes of A and nothing else.

    Parameters
    ----------
    tables : Tensor of shape (n_nodes, C_1, ..., C_L)
        Conditional probabilities; table l sums to 1 along axis l.
    edges : Tensor of shape (n_nodes, n_nodes)
        Acyclic edge weights in [0, 1].

    Returns
    -------
    Tensor of shape (C_1, ..., C_L)
        Log-probabilities of the cells in nats.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import log_joint
    >>> tables = torch.full((2, 2, 2), 0.5)
    >>> log_joint(tables, torch.zeros(2, 2)).exp()
    tensor([[0.2500, 0.2500],
            [0.2500, 0.2500]])
    """
    # A probability below the smallest normal number would end in log(0).
    floor = torch.finfo(tables.dtype).tiny
    return mask_non_parents(tables, edges).clamp_min(floor).log().sum(dim=0)


def set_nodes(
    tables: Tensor, edges: Tensor, nodes: Sequence[int], log_probabilities: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """Cut the edges into nodes that were intervened on (Pearl's do-operator).

    Parameters
    ----------
    tables : Tensor of shape (n_nodes, C_1, ..., C_L)
        Conditional probabilities.
    edges : Tensor of shape (n_nodes, n_nodes)
        Edge weights in [0, 1].
    nodes : sequence of int
        The nodes that were set.
    log_probabilities : sequence of Tensor of shape (C_l,)
        Per node of ``nodes`` how often it was set to which outcome.

    Returns
    -------
    tables : Tensor of shape (n_nodes, C_1, ..., C_L)
        With these nodes' tables replaced.
    edges : Tensor of shape (n_nodes, n_nodes)
        Without the edges into them.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import log_joint, set_nodes
    >>> tables, edges = torch.full((2, 2, 2), 0.5), torch.tensor([[0.0, 1.0], [0.0, 0.0]])
    >>> mostly_0 = torch.tensor([0.75, 0.25]).log()
    >>> log_joint(*set_nodes(tables, edges, [1], [mostly_0])).exp()
    tensor([[0.3750, 0.1250],
            [0.3750, 0.1250]])
    """
    new_tables, edges = list(tables), edges.clone()
    for node, logs in zip(nodes, log_probabilities, strict=True):
        shape = [-1 if axis == node else 1 for axis in range(len(tables))]
        new_tables[node] = logs.exp().reshape(shape).expand_as(tables[node])
        edges[:, node] = 0.0
    return torch.stack(new_tables), edges


def tables_from_counts(counts: Tensor, adjacency: Tensor, prior_count: float = 0.0) -> list[Tensor]:
    r"""Return the maximum-likelihood tables of a given DAG (Eq. 5 with the graph fixed).

    :math:`p(N_\ell | Pa(N_\ell))` is the normalised expected count of the family. A parent
    configuration without any count gets the uniform distribution.

    Parameters
    ----------
    counts : Tensor of shape (C_1, ..., C_L)
        Expected counts of the cells, :math:`\sum_d \gamma^{(d)}`.
    adjacency : Tensor of shape (n_nodes, n_nodes)
        True where k -> l.
    prior_count : float, default=0.0
        Added to every entry of every family table (a symmetric Dirichlet prior).

    Returns
    -------
    list of Tensor
        Per node a table of shape (C_1, ..., C_L) with size 1 along the axes that are neither
        its own nor a parent's.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import tables_from_counts
    >>> counts = torch.tensor([[30.0, 10.0], [20.0, 40.0]])
    >>> adjacency = torch.tensor([[False, True], [False, False]])
    >>> [table.squeeze() for table in tables_from_counts(counts, adjacency)]
    [tensor([0.4000, 0.6000]), tensor([[0.7500, 0.2500],
            [0.3333, 0.6667]])]
    """
    n_nodes = counts.ndim
    tables = []
    for node in range(n_nodes):
        family = {node, *torch.nonzero(adjacency[:, node]).flatten().tolist()}
        others = [axis for axis in range(n_nodes) if axis not in family]
        family_counts = counts.sum(dim=others, keepdim=True) if others else counts
        family_counts = family_counts + prior_count
        totals = family_counts.sum(dim=node, keepdim=True)
        unseen = totals <= 0
        family_counts = torch.where(unseen, torch.ones_like(family_counts), family_counts)
        tables.append(family_counts / family_counts.sum(dim=node, keepdim=True))
    return tables


def joint_from_tables(tables: Sequence[Tensor]) -> Tensor:
    """Multiply tables that broadcast over the grid into the joint (Eq. 5).

    Parameters
    ----------
    tables : sequence of Tensor
        Per node a table that broadcasts to (C_1, ..., C_L).

    Returns
    -------
    Tensor of shape (C_1, ..., C_L)
        Joint probabilities.

    Examples
    --------
    >>> import torch
    >>> from skcausalpima.functional import joint_from_tables
    >>> joint_from_tables([torch.tensor([[0.5], [0.5]]), torch.tensor([[0.25, 0.75]])])
    tensor([[0.1250, 0.3750],
            [0.1250, 0.3750]])
    """
    return reduce(torch.mul, tables)


class MeansOverAxes(torch.autograd.Function):
    r"""Draw every table to its means along every axis: :math:`\prod_k M_k` of Eq. 9.

    With :math:`P_k` the mean along axis k, :math:`M_k = P_k + E_k (1 - P_k)`. All of these are
    symmetric: what gradients G of the result are for the tables is :math:`\prod_k M_k G`, and for
    :math:`E_k` it is :math:`\langle \prod_{j > k} M_j G, (1 - P_k) \prod_{j < k} M_j W \rangle`.
    Many small steps would otherwise cost more than all else that a grid of many cells needs.
    """

    @staticmethod
    def forward(ctx: Kept, tables: Tensor, keep: Tensor) -> Tensor:
        values, before, deviations = _nodes_last(tables), 1, []
        for weight, size in zip(keep, tables.shape[1:], strict=True):
            values = values.reshape(before, size, -1, len(keep))  # (before, axis, after, node)
            mean = values.mean(dim=1, keepdim=True)
            deviations.append(values - mean)
            torch.lerp(mean, values, weight, out=values)  # exact at weights 0 and 1
            before *= size
        ctx.save_for_backward(keep, *deviations)
        return values.reshape(-1, len(keep)).T.reshape(tables.shape)

    @staticmethod
    def backward(ctx: Kept, gradient: Tensor) -> tuple[Tensor, Tensor]:
        keep, *deviations = ctx.saved_tensors
        values, of_keep = _nodes_last(gradient), []
        for weight, deviation in zip(keep.flip(0), reversed(deviations), strict=True):
            values = values.reshape(deviation.shape)
            of_keep.append((values * deviation).sum(dim=(0, 1, 2)))
            torch.lerp(values.mean(dim=1, keepdim=True), values, weight, out=values)
        tables = values.reshape(-1, len(keep)).T.reshape(gradient.shape)
        return tables, torch.stack(of_keep[::-1])


def _nodes_last(tables: Tensor) -> Tensor:
    """Return tables as (cell, node): side by side, nodes make every axis fast to run along."""
    return tables.flatten(1).T.clone(memory_format=torch.contiguous_format)
