"""Parts of a page that change often, each as one text from a template: a tree of NiceGUI's elements costs far more."""

from nicegui import ui

from watchkeep_console.plain import TEMPLATES


class Snippet(ui.html):
    """`template` drawn with what `show` is given; all that stands in it is escaped."""

    def __init__(self, template: str) -> None:
        super().__init__(sanitize=False)
        self._template = TEMPLATES.get_template(template)

    def show(self, **values: object) -> None:
        """Nothing is sent when it is the same."""
        content = self._template.render(values)
        if content != self.content:
            self.content = content
