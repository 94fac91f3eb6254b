"""The rules of tools/tidy: functions from the tree to what is wrong, (path, line, message)."""

import re
from urllib.parse import unquote

from tidy_source import functions, line_of

FILE_LINES = 500
TEST_FILE_LINES = 900
FUNCTION_LINES = 70
COLUMNS = 100

ROOMS = "src/rooms.txt"
ROOM_LINE = re.compile(r"^([a-z]+)\s*@(\d+):\s*(.*)$")

RIM = ("src/console", "src/server", "src/env/linux", "src/app")
CONTAINERS = re.compile(r"^boost/(unordered|container)/")  # no more of the world than <vector>
SYSTEM_CALL_ROOMS = ("src/env/linux", "src/app", "src/cli")
SYSTEM_CALL_HEADER = re.compile(r"^(unistd\.h|fcntl\.h|poll\.h|(sys|netinet|arpa)/.+\.h)$")
CLOCK = re.compile(r"\b(?:system_clock|(?:steady_clock|high_resolution_clock)\s*::\s*now)\b")
SLEEP = re.compile(r"\b(?:sleep_for|sleep_until|usleep|nanosleep)\s*\(")

# Put together from pieces, so that this file does not trip over itself.
LEFT_FOR_LATER = re.compile(r"\b(?:TO" + "DO|FIX" + "ME|XX" + "X|HA" + r"CK)\b")
FOREIGN_PATHS = re.compile(r"(?<![\w.])/wo" + r"rk/|\.\./sha" + r"red|/tmp/" + r"b-")


BARE_GTEST_SKIP = re.compile(r"\bGTEST_SKIP\s*\(\s*\)(?!\s*<<)")
DISABLED_TEST = re.compile(r"\bDISABLED_\w+")
BARE_PYTEST_SKIP = re.compile(
    r"""\bpytest\.(?:skip\(\s*\)|mark\.skip\b(?!\(\s*(?:reason=)?["'f]))""")
MARKDOWN_LINK = re.compile(r"""\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)""")


def matches(pattern, text):
    """(line, what was found) of each place."""
    return ((line_of(text, match.start()), match.group(0)) for match in pattern.finditer(text))


def read_rooms(tree):
    """{room: (level, allowed rooms, line)} and what is wrong with the file itself."""
    rooms, wrong = {}, []
    path = tree.root / ROOMS
    if not path.is_file():
        return rooms, [(ROOMS, 1, "missing")]
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = ROOM_LINE.match(line)
        if not match:
            wrong.append((ROOMS, number, f"not 'room @level: rooms': {line}"))
        elif match.group(1) in rooms:
            wrong.append((ROOMS, number, f"{match.group(1)} is listed twice"))
        else:
            rooms[match.group(1)] = (int(match.group(2)), match.group(3).split(), number)
    for room, (level, below, number) in rooms.items():
        for other in below:
            if other not in rooms:
                wrong.append((ROOMS, number, f"{room} may include {other}, which is no room"))
            elif rooms[other][0] >= level:
                wrong.append((ROOMS, number, f"{room} may not include {other}: not below it"))
    return rooms, wrong


def rooms(tree):
    """Rooms point downwards, and files include only what their room may."""
    allowed, wrong = read_rooms(tree)
    yield from wrong
    for file in tree.files:
        if file.path.parts[0] == "src" and file.is_cpp and file.room not in allowed:
            yield file.path, 1, f"stands in no room of {ROOMS}"
            continue
        if not (file.is_cpp and file.room):
            continue
        for line, mark, path in file.includes():
            if mark == "<" and path.split("/")[0] not in allowed:
                continue
            other = path.split("/")[0]
            if ".." in path.split("/"):
                continue  # rule no_parent_includes
            if "/" not in path or other not in allowed:
                yield file.path, line, f'"{path}" names no room: write "room/file.h"'
            elif other != file.room and other not in allowed[file.room][1]:
                yield file.path, line, f"{file.room} may not include {other} ({path})"


def no_parent_includes(tree):
    for file in tree.files:
        if file.is_cpp:
            for line, _, path in file.includes():
                if ".." in path.split("/"):
                    yield file.path, line, f'"{path}" climbs out of its folder'


def outside_headers(tree):
    """Headers of RocksDB, libpq, the network libraries and the system stay behind their walls."""
    for file in tree.files:
        if not (file.is_cpp and file.room):
            continue
        for line, _, path in file.includes():
            if path.startswith("rocksdb/"):
                if not file.path.as_posix().startswith("src/store/rocks_"):
                    yield file.path, line, f"<{path}> belongs into src/store/rocks_*"
            elif path == "libpq-fe.h":
                if not file.path.as_posix().startswith("src/project/pg_"):
                    yield file.path, line, f"<{path}> belongs into src/project/pg_*"
            elif re.match(r"(openssl|boost|asio)(/|\.)", path):
                password_hash = path.startswith("openssl/") and file.under("src/auth")
                if not (password_hash or CONTAINERS.match(path) or file.under(*RIM)):
                    yield file.path, line, f"<{path}> belongs into {', '.join(RIM)}"
            elif SYSTEM_CALL_HEADER.match(path) and not file.under(*SYSTEM_CALL_ROOMS):
                yield file.path, line, f"<{path}> belongs into {', '.join(SYSTEM_CALL_ROOMS)}"


def no_clock(tree):
    """Time is an argument: only env/linux and tests read a clock."""
    for file in tree.files:
        if file.is_cpp and file.room and not file.is_test and not file.under("src/env/linux"):
            for line, _ in matches(CLOCK, file.code):
                yield file.path, line, "reads a clock: take the time as an argument"


def no_sleep_in_tests(tree):
    for file in tree.files:
        if file.room and file.name.endswith("_test.cc"):
            for line, _ in matches(SLEEP, file.code):
                yield file.path, line, "a test sleeps: advance a clock, or wait for the event"


def sizes(tree):
    """Lines of a file, lines of a function, columns of a line."""
    for file in tree.files:
        if not file.is_source:
            continue
        most = TEST_FILE_LINES if file.is_test else FILE_LINES
        if len(file.lines) > most:
            yield file.path, len(file.lines), f"{len(file.lines)} lines, at most {most}"
        for number, line in enumerate(file.lines, 1):
            if len(line) > COLUMNS and number not in file.raw_lines:
                yield file.path, number, f"{len(line)} columns, at most {COLUMNS}"
        if file.is_cpp:
            for first, last, head in functions(file.code):
                length = last - first + 1
                if length > FUNCTION_LINES:
                    name = head.split("(")[0].split()[-1]
                    yield file.path, first, f"{name} has {length} lines, at most {FUNCTION_LINES}"


def headers(tree):
    """A header begins with what it is, and is read once."""
    for file in tree.files:
        if file.is_header:
            if not file.text.startswith("//"):
                yield file.path, 1, "begins with no comment that says what it is"
            if not re.search(r"^#pragma once$", file.text, re.M):
                yield file.path, 1, "has no #pragma once"


def nothing_left_for_later(tree):
    for file in tree.files:
        if file.is_source or file.is_markdown:
            for line, word in matches(LEFT_FOR_LATER, file.text):
                yield file.path, line, f"{word}: do it, or leave it"


def no_foreign_paths(tree):
    for file in tree.files:
        if file.is_text:
            for line, path in matches(FOREIGN_PATHS, file.text):
                yield file.path, line, f"'{path}' exists on one machine only"


def skips_have_reasons(tree):
    """A skipped test says why; a disabled one is dead code."""
    for file in tree.files:
        if file.is_cpp:
            for line, _ in matches(BARE_GTEST_SKIP, file.code):
                yield file.path, line, "GTEST_SKIP() without << reason"
            for line, _ in matches(DISABLED_TEST, file.code):
                yield file.path, line, "a disabled test: mend it or remove it"
        elif file.is_python:
            for line, _ in matches(BARE_PYTEST_SKIP, file.text):
                yield file.path, line, "a skip without its reason"


def without_code_blocks(text):
    """Markdown with fenced blocks and `code` made spaces."""
    text = re.sub(r"^([ \t]*)(```|~~~).*?^[ \t]*\2[ \t]*$",
                  lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.M | re.S)
    return re.sub(r"(`+)(?!`)[^\n]*?(?<!`)\1(?!`)", lambda m: " " * len(m.group(0)), text)


def anchors(text):
    """What GitHub calls the headings of a page."""
    names = set()
    fenced = re.sub(r"^([ \t]*)(```|~~~).*?^[ \t]*\2[ \t]*$", "", text, flags=re.M | re.S)
    for heading in re.findall(r"^#{1,6}[ \t]+(.+?)[ \t]*#*$", fenced, re.M):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")
        count = 0
        while (slug if count == 0 else f"{slug}-{count}") in names:
            count += 1
        names.add(slug if count == 0 else f"{slug}-{count}")
    return names


def markdown(tree):
    """One title per page, and links that lead somewhere."""
    root = tree.root.resolve()
    pages = {file.path.as_posix(): file for file in tree.files if file.is_markdown}
    for path, file in pages.items():
        visible = without_code_blocks(file.text)
        titles = re.findall(r"^# +\S.*$", visible, re.M)
        if len(titles) != 1:
            yield file.path, 1, f"{len(titles)} titles ('# …'), not one"
        for match in MARKDOWN_LINK.finditer(visible):
            target = unquote(match.group(1))
            line = line_of(visible, match.start())
            if re.match(r"[a-z][a-z0-9+.\-]*:", target):
                continue
            where, _, anchor = target.partition("#")
            page = file
            if where:
                linked = (root / file.path.parent / where).resolve()
                if not linked.exists() or not linked.is_relative_to(root):
                    yield file.path, line, f"the link {target} leads nowhere"
                    continue
                page = pages.get(linked.relative_to(root).as_posix())
            if anchor and page and anchor not in anchors(page.text):
                yield file.path, line, f"the link {target}: no such heading"


RULES = [rooms, no_parent_includes, outside_headers, no_clock, no_sleep_in_tests, sizes, headers,
         nothing_left_for_later, no_foreign_paths, skips_have_reasons, markdown]
