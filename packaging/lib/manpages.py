#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""manpages.py BUILD OUT: writes the man pages out of what the programs say of themselves.

Owns the frame of a page and its few sentences of its own. Never says anything that a program or a
document could say: options, settings, signals and exit codes are asked from the programs of BUILD,
the rest is a part of docs/, so a page cannot differ from them (tests/docs/test_man.py compares).
"""
import os
import re
import subprocess
import sys

from manpage_text import escaped, roff, section, verbatim

PROGRAMS = {"approvald": "approvald/approvald", "approvalctl": "approvald/ctl/approvalctl",
            "approvald-arbiter": "approvald/arbiter/approvald-arbiter",
            "approvald-supervisor": "supervisor/approvald-supervisor",
            "approvald-fence": "supervisor/fencer/approvald-fence"}
# The file of each page: its words.
ABOUT = {
    "approvald.8": "approvals in Slack, on your own hosts",
    "approvald-arbiter.8": "makes a machine the arbiter of a pair",
    "approvald-fence.8": "runs a fence agent for the supervisor",
    "approvald-supervisor.8": "keeps approvald alive and fails it over",
    "approvalctl.1": "asks for approvals and looks after approvald",
    "approvald.conf.5": "what approvald is told",
    "approvald-supervisor.conf.5": "what approvald's supervisor is told",
    "approvald-fence.5": "a device that switches the other host of a pair off",
    "approvald-notify.5": "who is told while Slack is down, and how",
    "approvald-policy.5": "who decides what, and how many of them",
    "approvalctl.conf.5": "where approvalctl finds approvald, and with which token",
}
# The program that describes them with which option, and their file.
SETTINGS = {"approvald.conf.5": ("approvald", "--describe-config", "/etc/approvald/approvald.conf"),
            "approvald-supervisor.conf.5": ("approvald-supervisor", "--describe-config",
                                            "/etc/approvald/supervisor.conf"),
            "approvald-policy.5": ("approvald", "--describe-policy", None)}
# The document and its part that describe them, and their files.
DOCUMENTS = {"approvald-fence.5": ("docs/admin.md", "Fence devices: a pair without a third machine",
                                   "/etc/approvald/fence/NAME"),
             "approvald-notify.5": ("docs/notify.md", None, "/etc/approvald/notify-people"),
             "approvalctl.conf.5": ("docs/approvalctl.md", "Where it looks",
                                    "~/.config/approvald/approvalctl.conf")}
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


def head(name):
    title, number = name.rsplit(".", 1)
    return [".\\\" SPDX-License-Identifier: Apache-2.0",
            ".\\\" Made by packaging/lib/manpages.py out of the programs' own help.",
            f".TH {title.upper()} {number} \"\" approvald \"\"", ".SH NAME",
            f"{escaped(title)} \\- {escaped(ABOUT[name])}"]


def see_also(name):
    others = [f".BR {escaped(other[:-2])} ({other[-1]})" for other in sorted(ABOUT) if other != name]
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
    parts = paragraphs(ask(build, name[:-2], "--help"))
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
    page = head("approvalctl.1") + [".SH SYNOPSIS", ".B approvalctl", "COMMAND [OPTION]...",
                                  ".SH DESCRIPTION", *verbatim(common)]
    page.append(".SH COMMANDS")
    for command in commands(text):
        said = ask(build, "approvalctl", *command.split(), "--help")
        own = said.split("\noptions of every command:", 1)[0]
        usage, _, rest = own.partition("\n")
        page += [f".SS {escaped(usage.replace('usage: ', ''))}", *verbatim(rest)]
    every = ask(build, "approvalctl", "status", "--help")
    every = every.split("\noptions of every command:\n", 1)[1].split("\n\n", 1)[0]
    return page + [".SH OPTIONS OF EVERY COMMAND", *options(every)] + see_also("approvalctl.1")


def option_table(build, program, option):
    """Sections and their options, as the program describes them."""
    page, part = [], None
    for line in ask(build, program, option).strip().split("\n")[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] != part:
            part = cells[0]
            page.append(f".SH {escaped('SECTION ' + part if part else 'OPTIONS').upper()}")
        kind = cells[2] if cells[2] != "choice" else cells[4].replace(" ", " | ")
        default = f"default: {cells[3]}" if cells[3] != "must be given" else "must be given"
        page += [".TP", f"\\fB{escaped(cells[1])}\\fR ({escaped(kind)})",
                 escaped(cells[5] + (f" ({default})" if cells[3] else ""))]
    return page


def settings(build, name):
    program, option, file = SETTINGS[name]
    return head(name) + [".SH SYNOPSIS", file, ".br", f"{file}.d/*.conf", ".SH SYNTAX", SYNTAX,
                         *option_table(build, program, option)] + see_also(name)


def policy(build, name):
    """The beginning of the document, the options, and where there is more."""
    program, option, _file = SETTINGS[name]
    start = section("docs/policies.md", None).split("\n## ", 1)[0]
    return head(name) + [".SH SYNOPSIS", ".B approvalctl policy apply", "FILE", ".SH DESCRIPTION",
                         *roff(start), ".PP", "Fields are sections field \\fINAME\\fR of the file.",
                         *option_table(build, program, option)] + see_also(name)


def document(name):
    page, heading, file = DOCUMENTS[name]
    return head(name) + [".SH SYNOPSIS", escaped(file), ".SH DESCRIPTION",
                         *roff(section(page, heading))] + see_also(name)


def pages(build):
    """{file name: text} of all pages."""
    made = {}
    for name in ABOUT:
        if name == "approvald-policy.5":
            lines = policy(build, name)
        elif name in SETTINGS:
            lines = settings(build, name)
        elif name in DOCUMENTS:
            lines = document(name)
        elif name == "approvalctl.1":
            lines = control(build)
        else:
            lines = daemon(build, name)
        made[name] = "\n".join(lines) + "\n"
    return made


def main():
    build, out = sys.argv[1:]
    for name, text in pages(build).items():
        with open(os.path.join(out, name), "w", encoding="ascii") as page:
            page.write(text)


if __name__ == "__main__":
    main()
