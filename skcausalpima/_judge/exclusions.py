"""What no report says at once: pairs of codes, and of sentences, that exclude each other."""

from __future__ import annotations

#: Pairs of texts. A code in brackets stands for its alarm or note, others for what lines say.
EXCLUDED = (
    ("no warning", "! ["),
    ("No alarm was raised", "! ["),
    ("[not-separated]", "! ["),
    ("factors found", "[not-separated]"),
    ("factors found", "[no-clusters]"),
    ("factors found", "[one-cell]"),
    ("kinds, as node_sizes states", "[no-clusters]"),
    ("supported as a factor", "[no-clusters]"),
    ("supported as a factor", "[few-samples]"),
    ("supported as a factor", "[no-gap]"),
    ("supported as a factor", "[other-seeds]"),
    ("supported as a factor", "[nodes-by-chance]"),
    ("[one-cell]", "[empty-cells]"),
    ("[one-cell]", "[cells-merged]"),
    ("[one-cell]", "[cells-overlap]"),
    ("[few-samples]", "[other-seeds] The cells may depend on random_state: other starts"),
    ("[nodes-by-chance]", "[nodes-tied]"),
    ("[nodes-by-chance]", "[labels-overlap]"),
    ("[cells-moved]", "[nodes-moved]"),
    ("[cells-moved]", "[other-starts]"),
    ("would not help", "Measure about"),
    ("[ended-early]", "stopped by itself"),
    ("[bound-fell]", "stopped by itself"),
    ("[model-does-not-hold]", "if the model holds: sure"),
)


def contradictions(text: str) -> list[tuple[str, str]]:
    """Return the pairs of which a report, in full, says both.

    Examples
    --------
    >>> from skcausalpima._judge.exclusions import contradictions
    >>> contradictions("2 factors found; no warning ... ! [few-samples] 40 samples are few")
    [('no warning', '! [')]
    """
    words = " ".join(text.split())
    return [pair for pair in EXCLUDED if all(one in words for one in pair)]
