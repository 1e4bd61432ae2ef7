"""The directive ``solution``: a part of a page that is folded until the reader opens it."""

from docutils import nodes
from docutils.parsers.rst import Directive


class Folded(nodes.General, nodes.Element):
    """A part that the reader opens; ``summary`` is the line always shown."""


class Solution(Directive):
    """``:::{solution} Title`` ... ``:::``; without a title it is called Solution."""

    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self):
        """Parse the content into a folded part."""
        node = Folded(summary=self.arguments[0] if self.arguments else "Solution")
        self.state.nested_parse(self.content, self.content_offset, node)
        return [node]


def _open(writer, node):
    writer.body.append(f'<details class="solution"><summary>{writer.encode(node["summary"])}</summary>')


def _close(writer, node):
    writer.body.append("</details>")


def setup(app):
    """Register the directive."""
    app.add_node(Folded, html=(_open, _close))
    app.add_directive("solution", Solution)
