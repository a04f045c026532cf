"""Pictures for a card as SVG, written as text, so that they need no plotting library and stay sharp.

They have a white ground of their own, so that they can be read on a dark page.
"""

from xml.sax.saxutils import escape

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"


def document(parts: list[str], width: float, height: float, title: str) -> str:
    """A whole picture; the title is what a screen reader says of it."""
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img" font-family="{_FONT}" text-anchor="middle">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width:g}" height="{height:g}" fill="#fff"/>',
    ]
    return "\n".join([*head, *parts, "</svg>", ""])


def written(
    x: float, y: float, text: str, *, size: int, anchor: str = "middle", weight: int = 400, fill: str = "#111"
) -> str:
    """One line of text, on this point of its base line."""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" fill="{fill}">'
        f"{escape(text)}</text>"
    )
