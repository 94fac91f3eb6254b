"""Each rule of tools/tidy is broken in a small tree of its own and must be heard of; what only
looks like a breach must pass. A rule that nothing here breaks fails the self-test too."""

import tempfile
from pathlib import Path

from tidy_rules import COLUMNS, FILE_LINES, FUNCTION_LINES, RULES, TEST_FILE_LINES

HEADER = "// A thing.\n#pragma once\n"
CLEAN = {
    "src/rooms.txt": "base @0:\nlog @1: base\nstore @1: base\nserver @2: base log store\n"
                     "env @1: base\nauth @1: base\n",
    "src/base/status.h": HEADER,
    "README.md": "# A house\n\n[rules](docs/rules.md#what-it-is)\n",
    "docs/rules.md": "# Rules\n\n## What it is\n",
}


def body(lines, head="int F()"):
    """A function whose body, braces included, has `lines` lines."""
    return head + " {\n" + "  Step();\n" * (lines - 2) + "}\n"


# (rule, what the message must contain, {path: text})
BREACHES = [
    ("rooms", "log may not include store", {"src/log/a.cc": '#include "store/b.h"\n'}),
    ("rooms", "base may not include log", {"src/base/a.h": HEADER + '#  include "log/b.h"\n'}),
    ("rooms", "names no room", {"src/log/a.cc": '#include "a.h"\n'}),
    ("rooms", "names no room", {"src/log/a.cc": '#include "util/a.h"\n'}),
    ("rooms", "log may not include store", {"src/log/a.cc": "#include <store/b.h>\n"}),
    ("rooms", "stands in no room", {"src/util/a.cc": "\n"}),
    ("rooms", "stands in no room", {"src/a.cc": "\n"}),
    ("rooms", "not below it", {"src/rooms.txt": "base @0:\nlog @1: base store\nstore @1: base\n"}),
    ("rooms", "not below it", {"src/rooms.txt": "base @0: log\nlog @1:\n"}),
    ("rooms", "which is no room", {"src/rooms.txt": "base @0: cellar\n"}),
    ("rooms", "is listed twice", {"src/rooms.txt": "base @0:\nbase @1:\n"}),
    ("rooms", "not 'room @level", {"src/rooms.txt": "base @0:\nlog: base\n"}),
    ("no_parent_includes", "climbs", {"src/log/a.cc": '#include "../base/status.h"\n'}),
    ("no_parent_includes", "climbs", {"src/log/a.cc": '#include "log/../base/status.h"\n'}),
    ("outside_headers", "src/store/rocks_", {"src/store/a.cc": "#include <rocksdb/db.h>\n"}),
    ("outside_headers", "src/store/rocks_", {"src/log/rocks_a.cc": "#include <rocksdb/db.h>\n"}),
    ("outside_headers", "src/project/pg_", {"src/log/a.cc": "#include <libpq-fe.h>\n"}),
    ("outside_headers", "src/server", {"src/log/a.cc": "#include <boost/asio.hpp>\n"}),
    ("outside_headers", "src/server", {"src/env/a.cc": "#include <openssl/sha.h>\n"}),
    ("outside_headers", "src/server", {"src/auth/a.cc": "#include <boost/asio.hpp>\n"}),
    ("outside_headers", "src/env/linux", {"src/log/a.cc": "#include <unistd.h>\n"}),
    ("outside_headers", "src/env/linux", {"src/server/a.cc": "#include <sys/socket.h>\n"}),
    ("outside_headers", "src/env/linux", {"src/env/sim/a.cc": "#include <netinet/in.h>\n"}),
    ("no_clock", "reads a clock", {"src/log/a.cc": "auto a = std::chrono::system_clock::now();\n"}),
    ("no_clock", "reads a clock", {"src/log/a.h": HEADER + "auto a = steady_clock::now();\n"}),
    ("no_sleep_in_tests", "sleeps", {"src/log/a_test.cc": "std::this_thread::sleep_for(1s);\n"}),
    ("no_sleep_in_tests", "sleeps", {"src/log/a_test.cc": "usleep(10);\n"}),
    ("sizes", "lines, at most", {"src/log/a.cc": "\n" * (FILE_LINES + 1)}),
    ("sizes", "lines, at most", {"src/log/a_test.cc": "\n" * (TEST_FILE_LINES + 1)}),
    ("sizes", "lines, at most", {"tools/a.py": "\n" * (FILE_LINES + 1)}),
    ("sizes", "columns", {"src/log/a.cc": "//" + "a" * (COLUMNS - 1) + "\n"}),
    ("sizes", "columns", {"tools/a": "#!/usr/bin/env bash\n# " + "a" * COLUMNS + "\n"}),
    ("sizes", "F has", {"src/log/a.cc": body(FUNCTION_LINES + 1)}),
    ("sizes", "F has", {"src/log/a.cc": "namespace a {\n" + body(FUNCTION_LINES + 1) + "}\n"}),
    ("sizes", "F has", {"src/log/a.h": HEADER + "class A : public B<int> {\n public:\n"
                        + body(FUNCTION_LINES + 1, "  int F() const override") + "};\n"}),
    ("sizes", "A::A has", {"src/log/a.cc": body(FUNCTION_LINES + 1, "A::A() : a_(1), b_{}")}),
    ("sizes", "TEST has", {"src/log/a_test.cc": body(FUNCTION_LINES + 1, "TEST(A, B)")}),
    ("sizes", "F has", {"src/log/a.cc": "// {\nconst char* a = \"{\";\nint b[] = {1, 2};\n"
                        + body(FUNCTION_LINES + 1)}),
    ("headers", "begins with no comment", {"src/log/a.h": "#pragma once\n// A thing.\n"}),
    ("headers", "no #pragma once", {"src/log/a.h": "// A thing.\n"}),
    ("nothing_left_for_later", "do it", {"src/log/a.cc": "// TO" + "DO: more\n"}),
    ("nothing_left_for_later", "do it", {"tools/a.py": "# XX" + "X\n"}),
    ("nothing_left_for_later", "do it", {"docs/a.md": "# A\n\nFIX" + "ME\n"}),
    ("no_foreign_paths", "one machine", {"docs/a.md": "# A\n\nsee /wo" + "rk/main\n"}),
    ("no_foreign_paths", "one machine", {"src/log/a.cc": '// ../sha' + "red/a\n"}),
    ("no_foreign_paths", "one machine", {"CMakePresets.json": '"/tmp/' + 'b-x"\n'}),
    ("skips_have_reasons", "without << reason", {"src/log/a_test.cc": "GTEST_SKIP();\n"}),
    ("skips_have_reasons", "disabled", {"src/log/a_test.cc": "TEST(A, DISABLED_B) {}\n"}),
    ("skips_have_reasons", "without its reason", {"tests/a.py": "pytest.sk" + "ip()\n"}),
    ("skips_have_reasons", "without its reason", {"tests/a.py": "@pytest.mark.sk" + "ip\n"}),
    ("markdown", "0 titles", {"docs/a.md": "## A\n"}),
    ("markdown", "2 titles", {"docs/a.md": "# A\n\n# B\n"}),
    ("markdown", "leads nowhere", {"docs/a.md": "# A\n\n[b](b.md)\n"}),
    ("markdown", "leads nowhere", {"docs/a.md": "# A\n\n![b](../../b.png)\n"}),
    ("markdown", "no such heading", {"docs/a.md": "# A\n\n[b](rules.md#who-it-is)\n"}),
    ("markdown", "no such heading", {"docs/a.md": "# A\n\n[b](#b)\n"}),
]

# What looks like a breach and is none: {path: text}
FINE = [
    {"src/server/a.cc": '#include "base/status.h"\n#include "log/a.h"\n#include "server/a.h"\n'},
    {"src/log/a.cc": '// #include "store/b.h"\n/*\n#include "store/b.h"\n*/\n'},
    {"src/log/a.cc": '#include <vector>\n#include <boost/unordered/unordered_flat_map.hpp>\n'},
    {"src/store/rocks_a.cc": "#include <rocksdb/db.h>\n"},
    {"src/server/a.cc": "#include <boost/a.h>\n#include <openssl/sha.h>\n"},
    {"src/auth/a.cc": "#include <openssl/evp.h>\n"},
    {"src/env/linux/a.cc": "#include <sys/mman.h>\nauto t = system_clock::now();\n"},
    {"src/log/a.cc": '// steady_clock::now\nconst char* a = "system_clock";\n'},
    {"src/log/a.cc": "std::chrono::steady_clock::time_point a;\n"},
    {"src/log/a_test.cc": "auto a = steady_clock::now();\n// sleep_for(1)\n"},
    {"src/log/a.cc": "\n" * FILE_LINES, "src/log/a_test.cc": "\n" * TEST_FILE_LINES},
    {"src/log/a.cc": body(FUNCTION_LINES) + body(FUNCTION_LINES, "A::A() : a_(1), b_{2}")},
    {"src/log/a.cc": "namespace {\nstruct A {\n" + "  int a;\n" * 100 + "};\n}  // namespace\n"},
    {"src/log/a.cc": "const int kTable[] = {\n" + "  F(1),\n" * 100 + "};\n"},
    {"src/log/a.cc": "enum class A : int {\n" + "  kA,\n" * 100 + "};\n"},
    {"src/log/a.cc": "int a = 1'000; char b = '{'; auto c = R\"({{)\";\n" + "\n" * 100 + "}\n"},
    {"src/log/a.cc": "//" + "é" * (COLUMNS - 2) + "\n"},
    {"src/log/a.cc": 'const char* a = R"(\n' + "a" * 200 + '\n)";\n'},
    {"src/log/a.cc": "#include <boost/container/small_vector.hpp>\n"},
    {"src/log/a_test.cc": 'GTEST_SKIP()\n    << "no loop mounts";\n'},
    {"tests/a.py": 'pytest.skip("no loop mounts")\n@pytest.mark.skipif(a, reason="b")\n'},
    {"src/log/a.cc": 'mkdtemp("/tmp/sluice-' + "X" * 6 + '");\n'},
    {"docs/a.md": "# A\n\n```\n# no title\n[no](a)\n```\n`[no](a)` [b](https://b.c/d)\n"},
    {"docs/a.md": "# A\n\n## One and `two`: three\n\n[b](#one-and-two-three) [c](../README.md)\n"},
    {"docs/a.md": "# A\n\nthe net/wo" + "rk/ of pipes\n"},
]


def check_tree(check, files):
    with tempfile.TemporaryDirectory(prefix="tidy-") as folder:
        for path, text in {**CLEAN, **files}.items():
            target = Path(folder) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        return check(Path(folder))


def self_test(check):
    failures = []
    for rule, expected, files in BREACHES:
        wrong = check_tree(check, files)
        if not any(rule == found and expected in message for _, _, found, message in wrong):
            failures.append(f"{rule}: '{expected}' was not reported for {files}; but {wrong}")
        others = [entry for entry in wrong if entry[2] != rule]
        if others:
            failures.append(f"{rule}: other rules spoke too for {files}: {others}")
    for files in FINE:
        wrong = check_tree(check, files)
        if wrong:
            failures.append(f"reported although fine: {wrong} for {files}")
    broken = {rule for rule, _, _ in BREACHES}
    failures += [f"{r.__name__}: nothing here breaks it" for r in RULES if r.__name__ not in broken]
    for failure in failures:
        print(failure[:1000])
    print(f"tidy --self-test: {len(BREACHES)} breaches, {len(FINE)} fine trees, "
          f"{len(failures)} failures")
    return 1 if failures else 0
