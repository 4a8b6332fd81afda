"""What a site has beside its pages: how links to it look elsewhere, and a page for addresses that lead nowhere."""

from __future__ import annotations

from html import escape
from io import BytesIO
from urllib.parse import urlsplit

TITLE = "How Training Chooses"
SENTENCE = (
    "181 papers on where training ends up, one executable chapter each: derived, run again, checked by the machine."
)
CARD = "_static/card.png"
CARD_SIZE = (1200, 630)


def page_meta(title: str, sentence: str, page: str, address: str) -> str:
    """Write the tags by which other sites show a link to a page.

    Args:
        title: the page's title, as plain text.
        sentence: what the page is about.
        page: its address from the site's root.
        address: where the site is published; pictures need a whole address, and are left out where it is unknown.

    Returns:
        HTML for the page's head.
    """
    tags = {
        "description": sentence,
        "og:site_name": TITLE,
        "og:type": "website" if page.count("/") < 2 else "article",
        "og:title": title,
        "og:description": sentence,
    }
    if address:
        root = address.rstrip("/")
        width, height = map(str, CARD_SIZE)
        tags |= {"og:url": f"{root}/{page}", "og:image": f"{root}/{CARD}"}
        tags |= {"og:image:width": width, "og:image:height": height}
        tags |= {"og:image:alt": "Curves of margins that rise to one", "twitter:card": "summary_large_image"}
    return "".join(
        f'\n<meta {"name" if ":" not in name or name.startswith("twitter") else "property"}="{name}" '
        f'content="{escape(value, quote=True)}">'
        for name, value in tags.items()
    )


def social_card() -> bytes:
    """Draw the picture that stands beside links to the site.

    Returns:
        PNG of 1200 by 630 pixels; always the same bytes.
    """
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from ibkit.show.style import PALETTE

    figure = Figure(figsize=(12, 6.3), dpi=100, facecolor="white", layout="none")  # whatever the style says
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 0.5))
    steps = np.geomspace(1, 1e4, 200)
    for place, rate in enumerate((1.2, 0.8, 0.5, 0.3)):
        curve = 1 - 0.9 * steps ** (-rate / 2) * (1 + 0.25 * place * np.exp(-steps / 30))
        axes.plot(steps, curve, color=PALETTE[place], linewidth=5, solid_capstyle="round")
    axes.axhline(1, color="#8a929b", linewidth=2, linestyle=(0, (2, 3)))
    axes.set(xscale="log", ylim=(-0.35, 1.12), xlim=(1, 1e4))
    axes.axis("off")
    figure.text(0.06, 0.78, TITLE, fontsize=56, fontweight="bold", color="#14181e")
    figure.text(0.06, 0.67, "181 papers, one executable chapter each,", fontsize=25, color="#3c4650")
    figure.text(0.06, 0.6, "every claim checked by the machine", fontsize=25, color="#3c4650")
    out = BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def missing_page(address: str) -> str:
    """Write the page that servers show for addresses that lead nowhere.

    It is shown in place of pages at any depth, so it brings its style with it, and its links are mended by a few
    words of script from the published site's path.

    Args:
        address: where the site is published, or an empty text.
    """
    path = urlsplit(address).path.rstrip("/") + "/" if address else "/"
    mend = (
        f'const root="{path}";if(location.protocol!=="file:"&&location.pathname.startsWith(root))'
        'for(const a of document.querySelectorAll("a"))a.href=root+a.getAttribute("href")'
    )
    style = (
        ":root{color-scheme:light dark}body{max-width:34rem;margin:15vh auto;padding:0 1.2rem;"
        "font:1.1rem/1.6 system-ui,sans-serif}h1{font-size:2rem;line-height:1.2}li{margin:.4rem 0}"
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Nothing here — {TITLE}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="robots" content="noindex"><link rel="icon" href="data:,">'
        f"<style>{style}</style></head><body><main><h1>There is no page at this address</h1>"
        "<p>It may have moved, or the link that led here has a slip in it.</p><ul>"
        '<li><a href="index.html">The book from its beginning</a></li><li><a href="search.html">Search for a paper, an '
        'author or a concept</a></li><li><a href="ledger.html">All papers and their claims</a></li></ul></main>'
        f"<script>{mend}</script></body></html>\n"
    )
