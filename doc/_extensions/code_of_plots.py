"""Show the code of plots without running it, in a build whose figures nobody looks at."""

from docutils import nodes
from matplotlib.sphinxext.plot_directive import PlotDirective


class CodeOfPlot(PlotDirective):
    """The directive ``plot``, of which the code alone comes on the page."""

    def run(self):
        text = "\n".join(self.content)
        return [nodes.literal_block(text, text, language="pycon")]


def setup(app):
    app.setup_extension("matplotlib.sphinxext.plot_directive")
    app.add_directive("plot", CodeOfPlot, override=True)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
