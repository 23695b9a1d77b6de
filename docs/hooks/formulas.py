"""Formulas as MathML, which browsers draw themselves: LaTeX between dollars, translated while the site is built."""

import re
from html import unescape
from typing import Any

from latex2mathml.converter import convert

INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
BLOCK = re.compile(r'<div class="arithmatex">\\\[(.*?)\\\]</div>', re.DOTALL)


def on_page_content(html: str, **_: Any) -> str:
    """Translate the formulas of a page."""
    html = INLINE.sub(lambda formula: mathml(formula[1], "inline"), html)
    return BLOCK.sub(lambda formula: f'<div class="formula">{mathml(formula[1], "block")}</div>', html)


def mathml(latex: str, display: str) -> str:
    """One formula; the converter knows `aligned` by its older name."""
    return convert(unescape(latex).replace("{aligned}", "{split}"), display=display)
