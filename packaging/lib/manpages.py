#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""manpages.py BUILD OUT: writes the man pages out of what the programs say of themselves.

Owns the frame of a page and its few sentences of its own. Never says anything that a program could
say: options, settings, signals and exit codes are asked from the programs of BUILD, so a page cannot
differ from its program (tests/docs/test_man.py compares).
"""
import os
import re
import subprocess
import sys

PROGRAMS = {"approvald": "approvald/approvald", "approvalctl": "approvald/ctl/approvalctl",
            "approvald-arbiter": "approvald/arbiter/approvald-arbiter",
            "approvald-supervisor": "supervisor/approvald-supervisor"}
ABOUT = {
    "approvald": ("8", "approvals in Slack, on your own hosts"),
    "approvald-arbiter": ("8", "makes a machine the arbiter of a pair"),
    "approvald-supervisor": ("8", "keeps approvald alive and fails it over"),
    "approvalctl": ("1", "asks for approvals and looks after approvald"),
    "approvald.conf": ("5", "what approvald is told"),
    "approvald-supervisor.conf": ("5", "what approvald's supervisor is told"),
}
# The program that describes them, and their file.
SETTINGS = {"approvald.conf": ("approvald", "/etc/approvald/approvald.conf"),
            "approvald-supervisor.conf": ("approvald-supervisor", "/etc/approvald/supervisor.conf")}
SYNTAX = """Lines of the form \\fIname = value\\fR, and sections:

.nf
name = value
section {
    name = value
    list = {"one", "two"}
}
.fi

Texts stand in quotes. Durations have a unit (250ms, 5s, 10m, 2h, 1d), sizes too (64M, 8G). Behind #
the rest of a line is a comment. include("FILE") reads another file in its place. After the file
itself FILE.d/*.conf are read, in the order of their names; what is said again replaces what was
said before. An option that does not exist, a wrong type or a value outside its limits is an error
with its file and line, and nothing is started or changed."""


def ask(build, program, *words):
    done = subprocess.run([os.path.join(build, PROGRAMS[program]), *words], check=True,
                          capture_output=True, text=True)
    # A build for tests lies elsewhere than the packages.
    text = re.sub(r"/\S*?/etc/approvald/", "/etc/approvald/", done.stdout)
    return re.sub(r"(?<!\S)/(?:\S*?/)?sbin/approvald(?!\S)", "/usr/sbin/approvald", text)


def escaped(text):
    """Text as roff shows it: no line is a request, a hyphen can be copied."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    for sign, name in (("…", "\\&..."), ("—", "\\(em"), ("é", "\\('e"), ("→", "->")):
        text = text.replace(sign, name)
    return "\n".join("\\&" + line if line.startswith((".", "'")) else line
                     for line in text.split("\n"))


def verbatim(text):
    return [".nf", escaped(text.strip("\n")), ".fi"]


def head(name):
    section, words = ABOUT[name]
    return [".\\\" SPDX-License-Identifier: Apache-2.0",
            ".\\\" Made by packaging/lib/manpages.py out of the programs' own help.",
            f".TH {name.upper()} {section} \"\" approvald \"\"", ".SH NAME",
            f"{escaped(name)} \\- {escaped(words)}"]


def see_also(name):
    others = [f".BR {escaped(other)} ({ABOUT[other][0]})" for other in sorted(ABOUT)
              if other != name]
    return [".SH SEE ALSO", ",\n".join(others), ".PP",
            "The package approvald\\-doc: how to connect it to Slack, pairs, the API."]


def paragraphs(text):
    """The parts of a help text between empty lines."""
    return [part for part in re.split(r"\n\s*\n", text.strip("\n")) if part.strip()]


def options(block):
    """'  -c, --config FILE   meaning', the meaning perhaps on several lines."""
    lines = []
    for line in block.split("\n"):
        found = re.match(r"\s{2,6}(\S.*?)(?:\s{2,}(.*))?$", line)
        if found and found.group(1).startswith("-") and len(line) - len(line.lstrip()) < 8:
            lines += [".TP", f"\\fB{escaped(found.group(1))}\\fR", escaped(found.group(2) or "")]
        else:
            lines.append(escaped(line.strip()))
    return [line for line in lines if line]


def daemon(build, name):
    parts = paragraphs(ask(build, name, "--help"))
    usage, _, words = parts[0].partition("\n")
    page = head(name) + [".SH SYNOPSIS", escaped(usage.replace("Usage: ", "")),
                         ".SH DESCRIPTION", escaped(words)]
    titles = {"Signals:": "SIGNALS", "Exit status:": "EXIT STATUS"}
    for part in parts[1:]:
        start = next((word for word in titles if part.startswith(word)), None)
        if part.lstrip().startswith("-"):
            page += [".SH OPTIONS", *options(part)]
        elif start:
            page += [f".SH {titles[start]}", escaped(part[len(start):].strip())]
        elif "\n  " in part:
            first, _, rest = part.partition("\n")
            page += [".SH EXAMPLE", escaped(first), *verbatim(rest)]
        else:
            page += [".PP", escaped(part)]
    return page + see_also(name)


def commands(text):
    """The names in the list of commands: those of two words too."""
    block = text.split("commands:\n", 1)[1].split("\n\n", 1)[0]
    return [line.strip().split("  ")[0] for line in block.split("\n")]


def control(build):
    text = ask(build, "approvalctl", "--help")
    common = text.split("\n\n", 3)[3] if "\n\n" in text else ""
    page = head("approvalctl") + [".SH SYNOPSIS", ".B approvalctl", "COMMAND [OPTION]...",
                                  ".SH DESCRIPTION", *verbatim(common)]
    page.append(".SH COMMANDS")
    for command in commands(text):
        said = ask(build, "approvalctl", *command.split(), "--help")
        own = said.split("\noptions of every command:", 1)[0]
        usage, _, rest = own.partition("\n")
        page += [f".SS {escaped(usage.replace('usage: ', ''))}", *verbatim(rest)]
    every = ask(build, "approvalctl", "status", "--help")
    every = every.split("\noptions of every command:\n", 1)[1].split("\n\n", 1)[0]
    return page + [".SH OPTIONS OF EVERY COMMAND", *options(every)] + see_also("approvalctl")


def settings(build, name):
    program, file = SETTINGS[name]
    page = head(name) + [".SH SYNOPSIS", file, ".br", f"{file}.d/*.conf", ".SH SYNTAX", SYNTAX]
    section = None
    for line in ask(build, program, "--describe-config").strip().split("\n")[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] != section:
            section = cells[0]
            page.append(f".SH {escaped('SECTION ' + section if section else 'OPTIONS').upper()}")
        kind = cells[2] if cells[2] != "choice" else cells[4].replace(" ", " | ")
        default = f"default: {cells[3]}" if cells[3] != "must be given" else "must be given"
        page += [".TP", f"\\fB{escaped(cells[1])}\\fR ({escaped(kind)})",
                 escaped(cells[5] + (f" ({default})" if cells[3] else ""))]
    return page + see_also(name)


def pages(build):
    """{file name: text} of all pages."""
    made = {}
    for name, (section, _words) in ABOUT.items():
        if name in SETTINGS:
            lines = settings(build, name)
        elif name == "approvalctl":
            lines = control(build)
        else:
            lines = daemon(build, name)
        made[f"{name}.{section}"] = "\n".join(lines) + "\n"
    return made


def main():
    build, out = sys.argv[1:]
    for name, text in pages(build).items():
        with open(os.path.join(out, name), "w", encoding="ascii") as page:
            page.write(text)


if __name__ == "__main__":
    main()
