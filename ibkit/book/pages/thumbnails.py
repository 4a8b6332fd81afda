"""Small pictures of chapters for their cards: the first figure, on white, all of one shape."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

SIZE = (480, 270)


def first_figure(notebook: dict[str, Any]) -> bytes | None:
    """Return the first picture among an executed notebook's outputs, as PNG."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            stored = output.get("data", {}).get("image/png")
            if stored:
                return base64.b64decode("".join(stored) if isinstance(stored, list) else stored)
    return None


def thumbnail(picture: bytes) -> bytes:
    """Fit a picture into the shape of a card's, with as few bytes as look well.

    Args:
        picture: an image of any size.

    Returns:
        PNG; the same picture gives the same bytes.
    """
    from PIL import Image

    image = Image.open(BytesIO(picture)).convert("RGBA")
    ground = Image.new("RGBA", image.size, "white")
    image = Image.alpha_composite(ground, image).convert("RGB")
    image.thumbnail((SIZE[0] - 24, SIZE[1] - 16), Image.Resampling.LANCZOS)
    card = Image.new("RGB", SIZE, "white")
    card.paste(image, ((SIZE[0] - image.width) // 2, (SIZE[1] - image.height) // 2))
    out = BytesIO()
    card.quantize(64, dither=Image.Dither.NONE).save(out, format="PNG", optimize=True)
    return out.getvalue()


def write_thumbnails(notebooks: dict[str, dict[str, Any]], folder: Path) -> set[str]:
    """Write a thumbnail for each chapter that has a figure.

    Args:
        notebooks: executed notebooks by slug.
        folder: where the pictures go.

    Returns:
        The slugs that have one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = set()
    for slug, notebook in notebooks.items():
        picture = first_figure(notebook)
        if picture is not None:
            (folder / f"{slug}.png").write_bytes(thumbnail(picture))
            made.add(slug)
    return made
