"""Mathematics as MathML: browsers draw it themselves, without a script or a font from the web."""

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util.math import get_node_equation_number


def setup(app):
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def visit_inline(translator, node):
    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def visit_block(translator, node):
    latex = node.astext().replace("{aligned}", "{split}")
    if "\\begin" not in latex and ("\\\\" in latex or "&" in latex):
        latex = rf"\begin{{split}}{latex}\end{{split}}"
    translator.body.append(translator.starttag(node, "div", CLASS="math"))
    if node["number"]:
        number = get_node_equation_number(translator, node)
        translator.body.append(f'<span class="eqno">({number})')
        translator.add_permalink_ref(node, "Link to this equation")
        translator.body.append("</span>")
    translator.body.append(convert(latex, display="block"))
    translator.body.append("</div>\n")
    raise nodes.SkipNode
