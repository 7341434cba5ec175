"""Texts of any kind: a valid network or one error that says where, in time and memory to match."""

import json
import re
import time
import tracemalloc
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest

from skcausalpima.graph import CategoricalDAG
from skcausalpima.graph._bif import Words

READERS = ("bif", "json")


def read(kind, text):
    return getattr(CategoricalDAG, f"from_{kind}")(text)


@pytest.fixture(scope="module")
def valid():
    """Valid texts of one network, by kind; the BIF has all that the format knows."""
    graph = nx.DiGraph()
    graph.add_node("a", states=["yes", "no"], note="first")
    graph.add_node("b", states=["low end", "mid", "<5"])
    graph.add_edges_from([("b", "c", {"weight": 0.5}), ("a", "c", {"compelled": True})])
    tables = {"a": [0.25, 0.75], "b": [0.2, 0.3, 0.5], "c": np.full((3, 2, 2), 0.5)}
    dag = CategoricalDAG(graph, tables)
    bif = """
    // a comment
    network "my net" { property author = someone ; }
    variable a { type discrete[2] { yes no }; property position = (1, 2) ; }
    variable b { /* another */ type discrete [ 3 ] { "low end", mid, <5 }; }
    variable c { type discrete [ 2 ] { 0, 1 }; }
    probability ( a ) { table 0.25 0.75 ; }
    probability ( b | a ) { default 0.2, 0.3, 0.5 ; (no) 1e-1 0.4 .5 ; }
    probability ( c | b, a ) { table 1 1 1 1 1 1, 0 0 0 0 0 0 ; }
    """
    return {"bif": bif, "json": dag.to_json()}


# --- damage ----------------------------------------------------------------------------------


def assert_valid_or_refused(kind, text):
    """A text is a network that can be written and read again, or one clear error."""
    try:
        dag = read(kind, text)
    except ValueError:
        return False
    joint = dag.joint()
    assert abs(joint.sum() - 1) < 1e-9
    np.testing.assert_array_equal(CategoricalDAG.from_json(dag.to_json()).joint(), joint)
    return True


def tokens_of(text):
    return re.findall(r"\s+|[\w.<>-]+|.", text)


def delete(tokens, i, j):
    return tokens[:i] + tokens[i + 1 :]


def repeat(tokens, i, j):
    return tokens[:i] + [tokens[i]] * 2 + tokens[i + 1 :]


def swap(tokens, i, j):
    tokens = list(tokens)
    tokens[i], tokens[j] = tokens[j], tokens[i]
    return tokens


def overwrite(tokens, i, j):
    return [*tokens[:i], tokens[j], *tokens[i + 1 :]]


def insert(tokens, i, j):
    odd = ["nan", "inf", "-1", "1" * 400, "{", "}", "[", '"', "(", ";", "/*", "<", "null", "\0"]
    return [*tokens[:i], odd[j % len(odd)], *tokens[i:]]


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("damage", [delete, repeat, swap, overwrite, insert])
def test_damaged_tokens(kind, damage, valid):
    tokens = tokens_of(valid[kind])
    words = [i for i, token in enumerate(tokens) if not token.isspace()]
    rng = np.random.default_rng(len(damage.__name__))
    for _ in range(40):
        i, j = rng.choice(words, 2)
        assert_valid_or_refused(kind, "".join(damage(tokens, i, j)))


@pytest.mark.parametrize("kind", READERS)
def test_truncated_texts(kind, valid):
    text = valid[kind].rstrip()
    assert assert_valid_or_refused(kind, text)
    step = max(len(text) // 60, 1)
    whole = [assert_valid_or_refused(kind, text[:end]) for end in range(0, len(text), step)]
    assert not any(whole)


ODD = [None, True, -1, 0, 10**400, 1e308, float("nan"), "", "a", "\ud800", [], [[]], {}, [None]]


def paths(value, path=()):
    """Yield the path of everything in a document."""
    yield path
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from paths(value[key], (*path, key))


def test_values_of_json_that_are_exchanged(valid):
    n_read = 0
    for *path, last in list(paths(json.loads(valid["json"])))[1:]:
        for odd in ODD:
            document = json.loads(valid["json"])
            owner = document
            for key in path:
                owner = owner[key]
            owner[last] = odd
            n_read += assert_valid_or_refused("json", json.dumps(document))
    assert n_read < 100  # other attributes, and no names of outcomes


def deep(n_levels):
    return "[" * n_levels + "]" * n_levels


@pytest.mark.parametrize("n_levels", [40, 70, 800, 10_000])
@pytest.mark.parametrize("field", ["name", "size", "states", "parents", "table", "attributes"])
def test_fields_of_json_that_are_nested_deeply(field, n_levels, valid):
    document = json.loads(valid["json"])
    document["nodes"][2][field] = "HERE"
    text = json.dumps(document).replace('"HERE"', deep(n_levels))
    with pytest.raises(ValueError, match=r"'c'|Node number 2|nested too deeply") as caught:
        CategoricalDAG.from_json(text)
    assert len(str(caught.value)) < 2000


def test_numbers_of_hundreds_of_digits(valid):
    text = valid["json"].replace("0.75", "1" * 400)
    with pytest.raises(ValueError, match="table of node 'a' is no rectangular array of numbers"):
        CategoricalDAG.from_json(text)
    with pytest.raises(ValueError, match=r"damaged, no valid JSON.*4300"):
        CategoricalDAG.from_json(valid["json"].replace("0.75", "1" * 5000))


def test_nested_texts_are_refused_by_name():
    with pytest.raises(ValueError, match=r"The text is damaged.*nested too deeply"):
        CategoricalDAG.from_json(deep(100_000))


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("text", [None, 3, b"network", ["network"]])
def test_wrong_types(kind, text):
    with pytest.raises(TypeError, match=f"from_{kind} needs the text of a file, a str; got"):
        read(kind, text)


@pytest.mark.parametrize("kind", READERS)
def test_empty_texts(kind):
    with pytest.raises(ValueError, match=r"no nodes|no valid"):
        read(kind, " ")


def test_an_edge_that_is_listed_twice(valid):
    document = json.loads(valid["json"])
    document["edges"][1] = document["edges"][0]
    with pytest.raises(ValueError, match="Edge number 1, 'a' -> 'c', is listed twice"):
        CategoricalDAG.from_json(json.dumps(document))


def test_attributes_of_json_may_have_any_name():
    graph = nx.DiGraph()
    graph.add_nodes_from([("a", {"node_for_adding": 1, "self": 2}), ("b", {})])
    graph.add_edges_from([("a", "b", {"u_of_edge": 3, "weight": 4})])
    dag = CategoricalDAG(graph, {"a": [1.0], "b": [[1.0]]})
    back = CategoricalDAG.from_json(dag.to_json())
    assert back.graph.nodes["a"] == dag.graph.nodes["a"]
    assert back.graph.edges["a", "b"] == {"u_of_edge": 3, "weight": 4}


# --- BIF -------------------------------------------------------------------------------------


def variable(name, n_states):
    states = ", ".join(f"s{k}" for k in range(n_states))
    return f"variable {name} {{ type discrete [ {n_states} ] {{ {states} }}; }}\n"


def declare(n_parents, n_states, entry):
    """A node with many parents and one entry."""
    names = [f"p{i}" for i in range(n_parents)]
    even = f"table {', '.join([str(1 / n_states)] * n_states)};"
    return (
        "".join(variable(name, n_states) for name in [*names, "x"])
        + "".join(f"probability ( {name} ) {{ {even} }}\n" for name in names)
        + f"probability ( x | {', '.join(names)} ) {{ {entry} }}\n"
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[2] { yes no }", "[0] { }", "'a' needs one or more outcomes.*in line 4"),
        ("{ yes no }", "{ yes yes }", "'a' needs one or more outcomes, all different.*line 4"),
        ("{ yes no }", "{ yes ( no }", r"Expected a name or '}' in line 4; got '\('"),
        ("/* another */", "/* another", "comment without an end; see line 5"),
        ('"low end"', '"low end', "quoted name without an end; see line 5"),
        ("(no) 1e-1", "(no) 0.1 0.4 0.5; (no) 1e-1", r"'b' has two entries for \('no',\)"),
        ("default", "default 1 0 0; default", "'b' must have either one table.*2 default, 1 row"),
        ("(no)", "table", "'b' must have either one table, or rows.*1 default, 1 table"),
        ("table 0.25 0.75 ;", "table 0.25 0.75", "Expected a name or ';' in line 7; got '}'"),
        ("table 0.25 0.75", f"table 0.25 {'7' * 400}", r"table of node 'a'.*entry \(1,\) is inf"),
        ("(no) 1e-1", "(no) nan", r"node 'b' must hold probabilities; its entry \(1, 0\) is nan"),
    ],
)
def test_malformed_bif(old, new, message, valid):
    text = valid["bif"].replace(old, new, 1)
    assert text != valid["bif"]
    with pytest.raises(ValueError, match=message):
        CategoricalDAG.from_bif(text)


def test_bif_that_ends_early_says_in_which_line(valid):
    with pytest.raises(ValueError, match="ends in the middle of an entry, in line 4"):
        CategoricalDAG.from_bif(valid["bif"][: valid["bif"].index("no };")])


def test_seventy_parents():
    with pytest.raises(ValueError, match=r"'x', entry table .*, has 2 numbers; expected 2361183"):
        CategoricalDAG.from_bif(declare(70, 2, "table 0.5, 0.5;"))
    with pytest.raises(ValueError, match=r"default of 'x' would fill 2361183.* may fill 4194304"):
        CategoricalDAG.from_bif(declare(70, 2, "default 0.5, 0.5;"))
    with pytest.raises(ValueError, match="table of 'x', which has 70 parents, is no array"):
        CategoricalDAG.from_bif(declare(70, 1, "table 1;"))


@pytest.mark.parametrize("entry", ["table 0.5;", "default 0.5;", "( s0 ) 0.5;", ""])
def test_no_table_is_made_before_its_numbers_are_counted(entry):
    text = declare(9, 8, entry)  # 1.4 kB that declare 8 GiB
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"'x'"):
        CategoricalDAG.from_bif(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(text) < 2000
    assert peak < 2**20


def test_defaults_share_one_budget(monkeypatch):
    monkeypatch.setattr("skcausalpima.graph._bif.MAX_FILLED", 100)
    one = declare(5, 2, "default 0.5, 0.5;")  # 64 cells
    assert CategoricalDAG.from_bif(one).cpts["x"].shape == (2,) * 6
    parents = ", ".join(f"p{i}" for i in range(5))
    two = f"{variable('y', 2)}probability ( y | {parents} ) {{ default 0.1, 0.9; }}"
    with pytest.raises(ValueError, match="default of 'y' would fill 62 cells"):
        CategoricalDAG.from_bif(one + two)


def test_words_that_begin_a_comment_are_not_written():
    for name in ("//x", "/*x"):
        with pytest.raises(ValueError, match="cannot be written as a word of BIF"):
            CategoricalDAG.from_arrays([[0]], [[1.0]], names=[name]).to_bif()
    dag = CategoricalDAG.from_arrays([[0]], [[1.0]], names=["a//*/b"])
    assert CategoricalDAG.from_bif(dag.to_bif()).nodes == dag.nodes


class Counted(str):
    """A text that counts the characters that are looked through for lines."""

    n_counted = 0

    def count(self, sign, start, stop):
        Counted.n_counted += stop - start
        return super().count(sign, start, stop)


def chain_text(n_nodes):
    names = [f"n{i}" for i in range(n_nodes)]
    blocks = [f"probability ( {names[0]} ) {{ table 0.5, 0.5; }}"]
    for parent, child in pairwise(names):
        blocks.append(f"probability ( {child} | {parent} ) {{")
        blocks.append("(s0) 0.25, 0.75; /* a comment */ (s1) 0.5, 0.5; }")
    return "".join(variable(name, 2) for name in names) + "\n".join(blocks)


def test_lines_are_looked_up_for_messages_only():
    text = Counted(chain_text(30))
    assert len(CategoricalDAG.from_bif(text).nodes) == 30
    assert Counted.n_counted == 0
    with pytest.raises(ValueError, match="Unknown entry 'end' in line 89"):
        CategoricalDAG.from_bif(Counted(f"{text} end"))
    assert 0 < Counted.n_counted <= len(text) + 1


@pytest.mark.parametrize(
    "make",
    [chain_text, lambda n: "/* " * 40 * n, lambda n: '"a" ' * 20 * n, lambda n: "/" * 100 * n],
    ids=["chain", "comments", "quotes", "slashes"],
)
def test_time_is_linear_in_the_length(make):
    def seconds(n):
        text, times = make(n), []
        for _ in range(3):
            start = time.process_time()
            try:
                CategoricalDAG.from_bif(text)
            except ValueError:
                assert make is not chain_text
            times.append(time.process_time() - start)
        return min(times)

    # Twenty times the length: about 20 times as long; were it quadratic, 400.
    assert seconds(1000) < 100 * max(seconds(50), 1e-3)


def test_words_have_their_places():
    words = Words("a /* x\n */ b\n// y\n'c'")
    assert [words.next(), words.where()] == ["a", "in line 1"]
    assert [words.next(), words.where()] == ["b", "in line 2"]
    assert [words.next(), words.where()] == ["'c'", "in line 4"]
    assert not words.is_left()
