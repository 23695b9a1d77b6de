"""What tests look at in a written page: its words and tags, and that it loads nothing from elsewhere."""

import re
from html.parser import HTMLParser


class Page(HTMLParser):
    """Words, tags, attributes and ids of a page, and whether its tags nest."""

    def __init__(self, html: str):
        super().__init__()
        self.words, self.tags, self.attributes, self.ids = "", [], [], []
        self.open: list[str] = []
        self.feed(html)
        self.words = " ".join(self.words.split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [value for name, value in attrs if name == "id"]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.words += f" {data}"


def assert_self_contained(html: str) -> None:
    """Its tags nest, its ids are unique and all that are used exist, and nothing comes from another place."""
    page = Page(html)
    assert page.open == []
    assert not {"script", "link", "img", "iframe", "image", "object", "embed"} & set(page.tags)
    assert not [value for _, value in page.attributes if value and re.match(r"(\w+:)?//|data:|javascript:", value)]
    assert "@import" not in html and "http" not in re.sub("http-equiv", "", html)
    assert len(page.ids) == len(set(page.ids))
    used = re.findall(r'url\(#([^)]*)\)|href="#([^"]*)"', html)
    assert {one or other for one, other in used} <= set(page.ids)
