"""What a page would let in: a parser that names scripts, handlers, requests and elements of strangers.

One script is the page's own: the one whose hash its policy names. Data are no script, and pictures that the page holds
itself are no request.
"""

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

# The page loads nothing, so an element that could load or run something has no place in it at all.
LOADING = {"img", "audio", "video", "source", "track", "iframe", "frame", "object", "embed"}
FORBIDDEN = LOADING | {"form", "base", "applet", "portal"}
PICTURE = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=]+")
ADDRESSES = frozenset(("href", "xlink:href", "src", "srcset", "action", "data", "poster", "background"))
NAMESPACES = ("http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink")


class Page(HTMLParser):
    """`tags` is the skeleton, `text` what a person reads, `faults` what must not be there."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.ids: list[str] = []
        self.links: list[str] = []
        self.faults: list[str] = []
        self._styles = 0
        self._script = ""
        self._policy = ""
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._styles += tag == "style"
        if tag in FORBIDDEN:
            self.faults.append(f"element {tag}")
        if tag == "script":
            self._script = dict(attrs).get("type") or "code"
        if tag == "meta" and ("http-equiv", "Content-Security-Policy") in attrs:
            self._policy += dict(attrs).get("content") or ""
        for name, value in attrs:
            self._attribute(tag, name, value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        self.tags.append("/" + tag)
        self.text += " " if tag in ("th", "td") else ""  # cells stand apart without white space between them
        self._styles -= tag == "style"
        if tag == "script":
            self._script = ""

    def handle_data(self, data: str) -> None:
        if self._script:
            self._run(data)
        elif self._styles:
            self._style("style element", data)
        else:
            self.text += data

    def _attribute(self, tag: str, name: str, value: str) -> None:
        if name == "id":
            self.ids.append(value)
        if name.startswith("on"):
            self.faults.append(f"handler {name} on {tag}")
        if name in ADDRESSES:
            self.links.append(value)
            own = tag == "image" and PICTURE.fullmatch(value)
            if not value.startswith("#") and value != "data:," and not own:
                self.faults.append(f"address {value!r} on {tag}")
        elif "://" in value and value not in NAMESPACES:
            self.faults.append(f"address {value!r} in {name} on {tag}")
        else:
            self._style(f"{name} on {tag}", value)

    def _run(self, code: str) -> None:
        named = f"'sha256-{b64encode(sha256(code.encode()).digest()).decode()}'"
        if self._script != "application/json" and named not in self._policy:
            self.faults.append("script")

    def _style(self, place: str, style: str) -> None:
        if "@import" in style or "expression(" in style or re.search(r"url\((?!#)", style):
            self.faults.append(f"request in {place}")
        self.links += [f"#{name}" for name in re.findall(r"url\(#([^)]*)\)", style)]
