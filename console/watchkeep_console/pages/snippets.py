"""Parts of a page that change often, each as one text from a template: a tree of NiceGUI's elements costs far more."""

from nicegui import ui

from watchkeep_console.plain import TEMPLATES


def snippet(template: str, **values: object) -> str:
    """`template` drawn with these values; all that stands in it is escaped. Pure, so that many pages share one."""
    return TEMPLATES.get_template(template).render(values)


class Snippet(ui.html):
    """Where the text of a `snippet` stands."""

    def __init__(self) -> None:
        super().__init__(sanitize=False)

    def show(self, content: str) -> None:
        """Nothing is sent when it is the same."""
        if content != self.content:
            self.content = content
