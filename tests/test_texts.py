"""The texts: short sentences, in docstrings and comments too, and no mention of what does not exist."""

import ast
import io
import re
import tokenize
from inspect import cleandoc
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "assets").rglob("*.md"))]
MOST_WORDS = 25

CODE = re.compile(r"`+[^`]+`+")
LINK = re.compile(r"!?\[([^\]]*)\]\(([^)\s]+)\)")
PATH = re.compile(r"(?<![\w./-])(?:ptp_core|app|tests|docs|assets|tools)/[\w./*-]*")
ITEM = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+")
END = re.compile(r"(?<=[.!?])[\"')*_]*\s+")
ABBREVIATIONS = re.compile(r"\b(e\.g|i\.e|et al|cf|vs|approx)\.")


def without_code(text: str) -> str:
    """The text with front matter, generated tables, fenced blocks and comments blanked; lines keep their numbers."""

    def blank(match: re.Match) -> str:
        return "\n" * match.group().count("\n")

    text = re.sub(r"\A---\n.*?\n---\n", blank, text, flags=re.DOTALL)
    text = re.sub(r"^ *(```+)[^\n]*\n.*?^ *\1 *$", blank, text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"<!-- figures -->.*?<!-- end of figures -->", blank, text, flags=re.DOTALL)
    return re.sub(r"<!--.*?-->", blank, text, flags=re.DOTALL)


def blocks(text: str):
    """(line number, text) of each paragraph and list item; tables, headings, quotes and indented code are left out."""
    start, lines = 0, []
    inside_item = False
    for number, line in enumerate([*without_code(text).splitlines(), ""], start=1):
        stripped = line.strip()
        outside = not stripped or stripped.startswith(("|", "#", ">"))
        code = line.startswith("    ") and not lines and not inside_item
        if outside or code or ITEM.match(line):
            if lines:
                yield start, " ".join(lines)
            lines = []
        if stripped and not line.startswith(" "):
            inside_item = bool(ITEM.match(line))
        if not outside and not code:
            start = start if lines else number
            lines.append(ITEM.sub("", line, count=1).strip() if not lines else stripped)


def sentences(text: str):
    """(line number, sentence) of a Markdown text; code counts as one word, a link as its text."""
    for number, block in blocks(text):
        plain = ABBREVIATIONS.sub(r"\1", LINK.sub(r"\1", CODE.sub("code", block)))
        for sentence in END.split(plain):
            yield number, sentence


def words(sentence: str) -> int:
    return sum(any(c.isalnum() for c in word) for word in sentence.split())


def long_sentences(text: str) -> list[str]:
    return [f"line {n}, {words(s)} words: {s}" for n, s in sentences(text) if words(s) > MOST_WORDS]


def missing_paths(text: str, root: Path = ROOT) -> list[str]:
    """Paths of the repository that stand in backticks, or in a fenced block, and name nothing."""
    fenced = re.findall(r"^ *```[^\n]*\n(.*?)^ *```", text, flags=re.DOTALL | re.MULTILINE)
    paths = [p for code in [*CODE.findall(text), *fenced] for p in PATH.findall(code)]
    return sorted({p for p in paths if not any(root.glob(p.rstrip("./")))})


def anchors(text: str) -> set[str]:
    """The anchors of a text's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+?) *$", without_code(text), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", LINK.sub(r"\1", h).lower()).replace(" ", "-") for h in headings}


def broken_links(text: str, path: Path) -> list[str]:
    """Relative links of the text at `path` whose file or heading does not exist."""
    broken = []
    for _, link in LINK.findall(without_code(text)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        other = path.parent / name if name else path
        whole = text if other == path else other.read_text(encoding="utf-8") if anchor and other.is_file() else ""
        if not (other == path or other.exists()) or (anchor and anchor not in anchors(whole)):
            broken.append(link)
    return broken


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_texts_are_short_sentences_about_files_that_exist(path):
    text = path.read_text(encoding="utf-8")
    assert long_sentences(text) == []
    assert missing_paths(text) == []
    assert broken_links(text, path) == []


LONG = "One two three four five six seven eight nine ten one two three four five six seven eight nine ten one two."


def test_a_long_sentence_is_found_wherever_it_stands():
    just = LONG.replace("two.", "two `a b` and [four](x.md).")
    assert [words(s) for _, s in sentences(just)] == [25] and long_sentences(just) == []
    longer = just.replace("(x.md)", "(x.md) more")
    for text in (
        longer,
        f"Short. {longer} Short.",
        f"- {longer}",
        f"1. a\n   {longer}",
        longer.replace(" one", "\none"),
    ):
        assert len(long_sentences(text)) == 1, text
    assert long_sentences(f"Line.\n\n{longer}")[0].startswith("line 3, 26 words")


def test_a_full_stop_inside_a_word_ends_no_sentence():
    half = LONG.replace("ten one two.", "1.5 `x.y`")
    assert len(long_sentences(f"{half} (Draxler et al. wrote it).")) == 1
    assert long_sentences(f"{half}. Draxler et al. wrote it.") == []
    assert [s for _, s in sentences("It has bfloat16. One - or two - follow.")][1:] == ["One - or two - follow."]


def test_only_prose_counts():
    longer = LONG.replace(".", " and four more words.")
    for text in (
        f"```\n{longer}\n```",
        f"# {longer}",
        f"| {longer} |",
        f"> {longer}",
        f"<!-- {longer} -->",
        f"<!-- figures -->\n{longer}\n<!-- end of figures -->",
    ):
        assert long_sentences(f"{text}\n\nShort.") == [], text
    assert long_sentences(f"    {longer}") == [] and long_sentences(f"```\ncode\n```\n{longer}") != []
    assert long_sentences(f"---\ntitle: {longer}\n---\n{longer}") == long_sentences(f"\n\n\n{longer}")


def test_a_path_that_names_nothing_is_found():
    text = "`ptp_core/noise.py` `docs/` `app/*/page.py` ptp_core/no.py `python app/gone.py`\n```\nassets/gone.json\n```"
    assert missing_paths(text) == ["app/gone.py", "assets/gone.json"]
    assert missing_paths("`tests/*/gone.py` `docs/log.md.`") == ["tests/*/gone.py"]


def test_a_link_that_leads_nowhere_is_found(tmp_path):
    other = tmp_path / "other.md"
    other.write_text("# What it is, and `why`\n```\n# not a heading\n```\n")
    text = "# Here\n[a](other.md) [b](other.md#what-it-is-and-why) [c](#here) [d](https://x.org/gone)\n"
    assert broken_links(text, tmp_path / "text.md") == []
    bad = "[a](gone.md) [b](other.md#not-a-heading) ![c](gone.png) [d](#there) `[e](gone.md)`"
    assert broken_links(f"# Here\n{bad}", tmp_path / "text.md")[:4] == [
        "gone.md",
        "other.md#not-a-heading",
        "gone.png",
        "#there",
    ]


# ---- docstrings and comments -----------------------------------------------------------------------------

SOURCES = sorted(path for top in ("ptp_core", "app", "tools") for path in (ROOT / top).rglob("*.py"))
SCRIPTS = sorted((ROOT / "app" / "static").rglob("*.js"))
FIELD = re.compile(r"\S\s{2,}\S")  # a line that begins a field of a table: its name, a gap, what it is


def docstrings(text: str):
    """(line number, docstring) of a module and of all its classes and functions."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found = ast.get_docstring(node, clean=True)
            if found:
                yield getattr(node, "lineno", 1), found


def comments(text: str):
    """(line number, comment): lines that hold nothing else are one comment where they stand one under another."""
    lines: list[str] = []
    first = last = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        follows = token.start[0] == last + 1 and token.line.lstrip().startswith("#")
        if lines and not follows:
            yield first, "\n".join(lines)
            lines = []
        first, last = (first if lines else token.start[0]), token.start[0]
        lines.append(token.string.lstrip("#").strip())
    if lines:
        yield first, "\n".join(lines)


def paragraphs(doc: str):
    """The paragraphs of a docstring and the fields of its tables; indented code and legends are left out."""
    block: list[str] = []
    in_field = False
    for line in [*cleandoc(doc).splitlines(), ""]:
        is_field, indented = bool(FIELD.search(line.strip())), line.startswith(" ")
        if block and (not line.strip() or is_field or (in_field and not indented)):
            yield " ".join(block)
            block = []
        if line.strip() and (block or not indented or in_field):
            block.append(line.strip())
        in_field = bool(block) and (is_field or (in_field and indented))


def script_comments(text: str):
    """(line number, comment) of a JavaScript source; what follows a tag, as in @param, stands alone."""
    for match in re.finditer(r"/\*\*(.*?)\*/|((?:^[ \t]*//[^\n]*\n?)+)", text, re.DOTALL | re.MULTILINE):
        plain = re.sub(r"^[ \t]*(?:\*|//)[ \t]?", "", match[1] or match[2], flags=re.MULTILINE)
        plain = re.sub(r"\{(?:[^{}]|\{[^{}]*\})*\}", "code", plain)  # a type
        yield text.count("\n", 0, match.start()) + 1, re.sub(r"\s*@[a-z-]+(?: code)?\s*", "\n\n", plain).strip()


def long_words_of(text: str, is_script: bool = False) -> list[str]:
    """The sentences over 25 words in the docstrings and comments of a source."""
    found = []
    for number, doc in script_comments(text) if is_script else [*docstrings(text), *comments(text)]:
        for block in paragraphs(doc):
            plain = ABBREVIATIONS.sub(r"\1", CODE.sub("code", block))
            found += [f"line {number}, {words(s)} words: {s}" for s in END.split(plain) if words(s) > MOST_WORDS]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_docstrings_and_comments_are_short_sentences(path):
    assert long_words_of(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_comments_of_scripts_are_short_sentences(path):
    assert long_words_of(path.read_text(encoding="utf-8"), is_script=True) == []


def test_a_long_sentence_is_found_in_a_script():
    longer = LONG.replace("two.", "two `a b` and one more.")
    for source in (
        f"// {longer}",
        f"const x = 1;\n// Short.\n// {longer[:40]}\n// {longer[40:]}\n",
        f"/** {longer} */",
        f"/**\n * Short.\n * {longer}\n * @param {{number}} x\n */",
        f"/** Short. @param {{{{ a: number }}}} x {longer} @returns {{number}} */",
    ):
        assert len(long_words_of(source, is_script=True)) == 1, source
    half = longer.removesuffix("and one more.")
    assert long_words_of(f"/** {half}\n * @param {{number}} x {half} */", is_script=True) == []
    assert long_words_of(f'const x = "{longer}";', is_script=True) == []


def test_a_long_sentence_is_found_in_a_source():
    longer = LONG.replace("two.", "two `a b` and one more.")
    for source in (
        f'"""{longer}"""',
        f'def f():\n    """Short.\n\n    {longer}\n    """',
        f'class A:\n    """Short.\n\n    name   {longer}\n    """',
        f"x = 1\n# Short.\n# {longer}",
        f"x = 1  # {longer}",
        f"# {longer[:40]}\n# {longer[40:]}",
    ):
        assert len(long_words_of(source)) == 1, source
    half = longer.removesuffix("and one more.")
    table = f'class A:\n    """Fields.\n\n    one   {half}\n    two   {half}\n          or\n    """'
    assert long_words_of(table) == []
    assert long_words_of(f'"""Short.\n\n    {longer}\n\nShort."""') == []
    assert long_words_of(f"a = 1  # {half}\nb = 2  # {half}") == []
