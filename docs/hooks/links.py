"""Links named after a file, as `[sweeps.md](sweeps.md)`, show the page's title; pictures link to themselves."""

import re
from posixpath import dirname, join, normpath
from typing import Any

LINK = re.compile(r"\[(`?)[\w/-]+\.md\1\]\((?P<path>[\w./-]+\.md)(?P<anchor>#[\w-]+)?\)")
PICTURE = re.compile(r'<img [^>]*src="([^"]+)"[^>]*>')
HEADING = re.compile(r"^# (.+)$", re.MULTILINE)


def on_page_markdown(markdown: str, page: Any, files: Any, **_: Any) -> str:
    """Put titles into the links of a page."""

    def titled(link: re.Match[str]) -> str:
        target = files.get_file_from_path(normpath(join(dirname(page.file.src_uri), link["path"])))
        heading = target and HEADING.search(target.content_string)
        return f"[{heading[1]}]({link['path']}{link['anchor'] or ''})" if heading else link[0]

    return LINK.sub(titled, markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Link each picture to itself: on a phone it is small."""
    return PICTURE.sub(r'<a class="picture" href="\1">\g<0></a>', html)
