"""All modules of the browser in one answer, so that a page need not ask for dozens of small files.

Each module becomes a function that runs when it is first asked for, and whose imports are looked up by name. So a
module still runs once, and still sees only what it imports. The modules by themselves stay at their own addresses,
for tests and for reading. This is no parser: it knows the four forms of import and export that the lab's modules use,
and refuses others.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

_IMPORT = re.compile(r'^import (\{[^}]*\}|\w+) from "(\.[^"]+)";', re.MULTILINE)
_NAMED = re.compile(r"^export ((?:async )?function\*? |const |class )(\w+)", re.MULTILINE)
_LIST = re.compile(r"^export \{([^}]*)\};", re.MULTILINE)
_DEFAULT = re.compile(r"^export default ", re.MULTILINE)
_LEFT = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)

_FRAME = """// All modules of the lab, each a function that runs when it is first asked for.
const made = {{}}, modules = {{
{modules}
}};
export function module(name) {{
  if (!Object.hasOwn(made, name)) made[name] = modules[name]();
  return made[name];
}}
"""


def joined(sources: Mapping[str, str]) -> str:
    """One module that holds all these and exports `module(name)`, which gives what the module of that name exports.

    ValueError for a form of import or export that is not known, and for a name that no module exports. Modules may not
    import each other in a circle, either.
    """
    _check_circles(sources)
    _check_names(sources)
    parts = [f'"{name}": () => {{\n{_as_function(name, text)}\n}},' for name, text in sources.items()]
    return _FRAME.format(modules="\n".join(parts))


def imported(name: str, text: str) -> list[str]:
    """The modules that a module imports, by their paths below app/static."""
    return [_resolved(name, found[2]) for found in _IMPORT.finditer(text)]


def _resolved(name: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), path))


def _exported(text: str) -> list[str]:
    """The names that a module exports; of `export const a = 1, b = 2` that is only the first."""
    exports = [found[2] for found in _NAMED.finditer(text)]
    for found in _LIST.finditer(text):
        exports += [each.strip() for each in found[1].split(",") if each.strip()]
    return exports


def _check_names(sources: Mapping[str, str]) -> None:
    for name, text in sources.items():
        for found in _IMPORT.finditer(text):
            if not found[1].startswith("{"):
                continue
            wanted = {each.split(" as ")[0].strip() for each in found[1].strip("{}").split(",") if each.strip()}
            if missing := wanted - set(_exported(sources[_resolved(name, found[2])])):
                raise ValueError(
                    f"{name} imports {', '.join(sorted(missing))}, which {found[2]} does not export alone."
                )


def _as_function(name: str, text: str) -> str:
    exports = _exported(text)

    def looked_up(found: re.Match[str]) -> str:
        names = found[1] if found[1].startswith("{") else f"{{ default: {found[1]} }}"
        return f'const {names.replace(" as ", ": ")} = module("{_resolved(name, found[2])}");'

    body = _IMPORT.sub(looked_up, text).replace("import.meta.url", f'new URL("{name}", import.meta.url).href')
    body = _LIST.sub("", _NAMED.sub(r"\1\2", body))
    if _DEFAULT.search(body):
        body, exports = _DEFAULT.sub("const $default = ", body), [*exports, "default: $default"]
    if left := _LEFT.search(body):
        raise ValueError(f"{name}: this form of import or export cannot be joined: {left[0][:60]}")
    return f"{body}\nreturn {{ {', '.join(exports)} }};"


def _check_circles(sources: Mapping[str, str]) -> None:
    done: set[str] = set()

    def walk(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            raise ValueError(f"Modules import each other in a circle: {' > '.join((*trail, name))}.")
        if name not in done:
            for other in imported(name, sources[name]):
                walk(other, (*trail, name))
            done.add(name)

    for name in sources:
        walk(name, ())
