"""Formulas as MathML, which browsers draw themselves: LaTeX between dollars, translated while the site is built."""

import re
from html import unescape
from typing import Any

from latex2mathml.converter import convert

INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
BLOCK = re.compile(r'<div class="arithmatex">\\\[(.*?)\\\]</div>', re.DOTALL)


def on_page_content(html: str, **_: Any) -> str:
    """Translate the formulas of a page."""
    html = INLINE.sub(lambda found: convert(unescape(found[1])), html)
    return BLOCK.sub(lambda found: f'<div class="formula">{convert(unescape(found[1]), display="block")}</div>', html)
