"""What tools/tidy looks at: the files of a tree, C++ without comments, functions."""

import re
import subprocess
from functools import cached_property
from pathlib import Path

# A C++ comment, string, raw string or character literal. Digit separators (1'000) are no literals.
CPP_OPAQUE = re.compile(
    r"""//[^\n]*|/\*.*?\*/|R"(?P<mark>[^()\\\s]*)\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"|"""
    r"""(?<![0-9A-Za-z_])(?:u8|u|U|L)?'(?:\\.|[^'\\\n])+'""",
    re.S,
)
CPP_COMMENT_START = ("//", "/*")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.M)
NOT_A_FUNCTION = re.compile(r"^\s*(?:(?:if|for|while|switch|catch|else|do|return)\b|#)")
SCOPE_WORD = re.compile(
    r"^(?:.*[\s;>\]])?(?:class|struct|union|enum|namespace)\b(?!.*\)\s*$)", re.S)
MEMBER_INIT = re.compile(r"\)[^{;]*[^:]:(?!:)[^;]*[\w>]\s*$", re.S)


def blank(text, keep_strings):
    """`text` with comments (and literals, unless kept) made spaces; lines stay where they were."""

    def spaces(match):
        found = match.group(0)
        if keep_strings and not found.startswith(CPP_COMMENT_START):
            return found
        return re.sub(r"[^\n]", " ", found)

    return CPP_OPAQUE.sub(spaces, text)


class File:
    def __init__(self, root, path):
        self.path = path  # relative to the root
        self.name = path.name
        self.bytes = (root / path).read_bytes()

    @cached_property
    def text(self):
        return self.bytes.decode("utf-8", errors="replace")

    @cached_property
    def lines(self):
        return self.text.splitlines()

    @cached_property
    def code(self):
        """C++ without comments and literals."""
        return blank(self.text, keep_strings=False)

    @cached_property
    def raw_lines(self):
        """The lines of C++ raw strings: text that no formatter may break."""
        lines = set()
        for match in CPP_OPAQUE.finditer(self.text) if self.is_cpp else ():
            if match.group(0).startswith('R"'):
                first = line_of(self.text, match.start())
                lines.update(range(first, first + match.group(0).count("\n") + 1))
        return lines

    @property
    def is_text(self):
        return b"\0" not in self.bytes[:8192]

    @property
    def is_cpp(self):
        return self.path.suffix in (".h", ".cc")

    @property
    def is_header(self):
        return self.path.suffix == ".h"

    @property
    def is_python(self):
        return self.path.suffix == ".py" or self.first_line_has("python")

    @property
    def is_shell(self):
        return self.path.suffix == ".sh" or self.first_line_has("bash")

    @property
    def is_source(self):
        """Written by people to be run."""
        if self.under("web/dist"):  # what web/src builds
            return False
        return (self.is_cpp or self.is_python or self.is_shell or self.name == "CMakeLists.txt"
                or self.path.suffix in (".cmake", ".ts", ".js", ".css"))

    @property
    def is_markdown(self):
        return self.path.suffix == ".md"

    @property
    def is_test(self):
        return self.name.endswith(("_test.cc", "_test.h")) or self.path.parts[0] == "tests"

    @property
    def room(self):
        """The room of a file under src/, else None."""
        parts = self.path.parts
        return parts[1] if len(parts) > 2 and parts[0] == "src" else None

    def under(self, *folders):
        return any(self.path.as_posix().startswith(folder + "/") for folder in folders)

    def first_line_has(self, word):
        first = self.bytes.split(b"\n", 1)[0]
        return self.path.suffix == "" and first.startswith(b"#!") and word.encode() in first

    def includes(self):
        """(line, '<' or '"', path) of each #include that is not in a comment."""
        visible = blank(self.text, keep_strings=True)
        for match in INCLUDE.finditer(visible):
            yield line_of(visible, match.start()), match.group(1), match.group(2)


class Tree:
    """The files under `root`: those git tracks or would add; all of them where there is no git."""

    def __init__(self, root):
        self.root = Path(root)
        self.files = [File(self.root, path) for path in self.list()]

    def list(self):
        if (self.root / ".git").exists():
            names = subprocess.run(
                ["git", "ls-files", "-z", "-co", "--exclude-standard"],
                cwd=self.root, capture_output=True, check=True,
            ).stdout.decode().split("\0")
            paths = {Path(name) for name in names if name}
        else:
            paths = {path.relative_to(self.root) for path in self.root.rglob("*")}
        return sorted(p for p in paths if (self.root / p).is_file())

    def exists(self, path):
        return (self.root / path).exists()


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def functions(code):
    """(first line, last line, head) of each function body in C++ without comments and literals.

    A heuristic on braces: a block whose head holds a parameter list, and which stands at the scope
    of a file, a namespace or a class, is a function. Lambdas and blocks inside count as part of it.
    """
    code = re.sub(r"^[ \t]*#.*?(?<!\\)$", lambda m: re.sub(r"[^\n]", " ", m.group(0)), code,
                  flags=re.M | re.S)
    open_blocks = []  # (kind, first line, head)
    head_start = 0
    parens = 0
    for match in re.finditer(r"[{}();]", code):
        mark, at = match.group(0), match.start()
        inside_function = any(kind == "function" for kind, _, _ in open_blocks)
        if mark == "(":
            parens += 1
        elif mark == ")":
            parens = max(0, parens - 1)
        elif mark == "{":
            head = code[head_start:at]
            kind = "other"
            if not inside_function and parens == 0:
                kind = kind_of(head)
            open_blocks.append((kind, line_of(code, at), head.strip()))
            if kind != "init" and parens == 0:
                head_start = at + 1
        elif mark == "}":
            if open_blocks:
                kind, line, head = open_blocks.pop()
                if kind == "function":
                    yield line, line_of(code, at), head
                if kind == "init":
                    continue  # the head of a constructor goes on
            if parens == 0:
                head_start = at + 1
        elif parens == 0:
            head_start = at + 1


def kind_of(head):
    if "(" not in head or SCOPE_WORD.search(head):
        return "scope" if SCOPE_WORD.search(head) or "extern" in head else "other"
    if MEMBER_INIT.search(head):
        return "init"
    if NOT_A_FUNCTION.search(head) or re.search(r"=\s*$", head):
        return "other"
    return "function"
