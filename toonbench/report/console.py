"""The console of the commands: rich, without markup in texts, and with escapes for what a terminal would interpret."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.segment import Segment
from rich.text import Text

from toonbench.text import PLAIN, legible, one_line

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderableType
    from rich.style import Style


def cell(text: object, style: str = "") -> Text:
    """A cell of a table: legible before the columns are laid out, so that they align."""
    return Text(one_line(str(text)), style=style)


class LegibleConsole(Console):
    """A console that shows names and messages of any origin as plain text.

    rich's own styles and cursor movements pass; those in the texts are escaped. Where the encoding of the stream is not
    Unicode, arrows and dashes become ASCII.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        stream = sys.stderr if stderr else sys.stdout
        super().__init__(
            file=getattr(stream, "raw", stream), highlight=False, soft_wrap=False, markup=False, emoji=False
        )

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of a renderable, legible."""
        narrow = not self.encoding.startswith("utf")
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                text = legible(segment.text)
                yield Segment(text.translate(PLAIN) if narrow else text, segment.style)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print renderables; a text is one line, so that a name with a line break cannot look like another message."""
        super().print(*(one_line(one) if isinstance(one, str) else one for one in objects), **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """A text in a table, legible before the columns are laid out."""
        return super().render_str(one_line(text), **options)

    def out(
        self,
        *objects: Any,
        sep: str = " ",
        end: str = "\n",
        style: str | Style | None = None,  # noqa: ARG002 - the signature of rich
        highlight: bool | None = None,  # noqa: ARG002
    ) -> None:
        """Write objects as text without wrapping or style; JSON stays JSON in every encoding."""
        self.file.write(legible(sep.join(map(str, objects)) + end))
        self.file.flush()

    def on_broken_pipe(self) -> None:
        """The reader of the output is gone; `toonbench.cli` ends the command quietly."""
        raise BrokenPipeError
