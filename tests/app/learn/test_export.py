"""The static copy is one file that asks nobody for anything."""

import base64
import json
import re

from app.learn.data import SOURCES
from app.learn.export import ENTRY, static_copy, write_copy


def test_the_copy_holds_all_modules_and_all_data(tmp_path):
    path = write_copy(tmp_path / "new" / "folder")
    text = path.read_text(encoding="utf-8")
    imports = json.loads(re.search(r'<script type="importmap">(.*?)</script>', text)[1])["imports"]
    assert ENTRY in imports
    for address in imports.values():
        source = base64.b64decode(address.removeprefix("data:text/javascript;base64,")).decode()
        for name in re.findall(r'^(?:import|export)[^"\n]*from "([^"]+)"', source, re.MULTILINE):
            assert name in imports
    data = json.loads(re.search(r'<script type="application/json" id="learn-data">(.*?)</script>', text, re.DOTALL)[1])
    assert set(data) == set(SOURCES)


def test_the_copy_names_no_address_to_fetch():
    text = static_copy()
    assert not re.search(r'\b(?:src|href)="', text)
    assert "@import" not in text
    assert "url(http" not in text
