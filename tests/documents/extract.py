# SPDX-License-Identifier: GPL-2.0-or-later
"""What documents show: commands, code blocks and references of Markdown, of mdoc pages, and of other files."""

import dataclasses
import re
import shlex

ENDS = {"|", "||", "&&", "&", ";", "<", ">", ">>", "(", ")"}


@dataclasses.dataclass(frozen=True)
class Shown:
    """A text that a document shows as code."""
    where: str      # file:line
    text: str


def markdown(name, text):
    """The code spans and the lines of code blocks. A span may go over the end of a line."""
    shown, paragraph, begin, fenced, after_blank, in_code = [], [], 0, False, True, False

    def end_paragraph():
        joined = " ".join(paragraph)
        shown.extend(Shown(f"{name}:{begin}", match[2].strip()) for match in re.finditer(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", joined))
        paragraph.clear()
    depth = 0       # of the text of a list item
    for number, line in enumerate(text.splitlines(), 1):
        indent = len(line) - len(line.lstrip())
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced:
            shown.append(Shown(f"{name}:{number}", line.strip()))
        elif not line.strip():
            end_paragraph()
            after_blank = True
            continue
        elif indent >= depth + 4 and (after_blank or in_code):
            shown.append(Shown(f"{name}:{number}", line.strip()))
            in_code = True
            continue
        else:
            item = re.match(r"( *)([*-]|\d+\.) +", line)
            depth = len(item[0]) if item else depth if indent >= depth > 0 else 0
            if item or line.lstrip().startswith("|"):
                end_paragraph()     # a row of a table is a paragraph
            begin = begin if paragraph else number
            paragraph.append(line.strip())
        after_blank = in_code = False
    end_paragraph()
    return shown


def _plain(text):
    """mdoc text without its escapes."""
    for escape, plain in ((r"\(dq", '"'), (r"\(aq", "'"), (r"\(ga", "`"), (r"\-", "-"), (r"\&", ""), (r"\e", "\\"), (r"\ ", " ")):
        text = text.replace(escape, plain)
    return text


def _without_punctuation(words):
    while words and re.fullmatch(r"[.,:;()]|\)\.", words[-1]):
        words = words[:-1]
    return words


def _macros(words):
    """The text of arguments such as `Cm reload Fl -try Ar time`."""
    text, glue, flag = "", False, False
    for word in words:
        if word in ("Cm", "Ar", "Li", "No", "Nm", "Fl", "Ns"):
            glue, flag = glue or word == "Ns", word == "Fl"
            continue
        text += ("" if glue or not text else " ") + ("-" if flag else "") + word
        glue = flag = False
    return _plain(text)


def mdoc(name, text):
    """What .Dl, .Ql and literal displays show, and verbs with options, as `.Cm reload Fl -try`."""
    shown, literal, kept = [], False, ""
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{name}:{number}"
        if line.startswith(".Bd -literal"):
            literal = True
        elif line.startswith(".Ed"):
            literal = False
        elif literal and line.endswith("\\e"):
            kept += _plain(line[:-2]).strip() + " "
        elif literal:
            shown.append(Shown(where, kept + _plain(line).strip()))
            kept = ""
        elif line.startswith(".Dl "):
            shown.append(Shown(where, _plain(line[4:])))
        elif line.startswith("."):
            quoted = re.search(r"(?:^\.|\s)Ql (.+)$", line)
            verb = re.search(r"(?:^\.|\s)Cm ([a-z-]+ (?:Cm \S+ )?Fl .+)$", line)
            if quoted:
                shown.append(Shown(where, _plain(" ".join(_without_punctuation(quoted[1].split())))))
            elif verb and not line.startswith(".It"):
                shown.append(Shown(where, _macros(_without_punctuation(verb[1].split()))))
    return shown


def displays(text):
    """The literal displays of an mdoc page, each as one text."""
    return [_plain(block) for block in re.findall(r"^\.Bd -literal.*\n((?:.*\n)*?)\.Ed$", text, re.M)]


def quoted(name, text, quote='"', comment=""):
    """What a file shows in quotation marks. They may be over the end of a line; `comment` is what lines begin with."""
    lines = [line.removeprefix(comment).strip() for line in text.splitlines()]
    shown, position = [], 0
    joined, starts = "", []
    for line in lines:
        starts.append(len(joined))
        joined += line + ("\n\n" if not line else " ")
    for match in re.finditer(rf"(?<![\w\\]){quote}([^{quote}\n]+){quote}", joined):
        while position + 1 < len(starts) and starts[position + 1] <= match.start():
            position += 1
        shown.append(Shown(f"{name}:{position + 1}", match[1]))
    return shown


def labelled(name, text):
    """The commands of lines such as `# Check it:  COMMAND   (remark)`."""
    return [Shown(f"{name}:{number}", re.split(r"  +\(| \(", match[1])[0])
            for number, line in enumerate(text.splitlines(), 1) if (match := re.match(r"# \w+ it: +(.+)", line))]


def strings(name, text):
    """The commands in single quotes in the string constants of C."""
    return [Shown(f"{name}:{number}", command) for number, line in enumerate(text.splitlines(), 1)
            for constant in re.findall(r'"((?:[^"\\]|\\.)*)"', line) for command in re.findall(r"'(espoffload[^']*)'", constant)]


def simple_commands(text):
    """The simple commands of a line of shell, as lists of words, without sudo, redirections and settings of variables."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    commands, words, skip = [], [], False
    for word in lexer:
        if word in ENDS:
            skip = word in ("<", ">", ">>")
            if not skip:
                commands.append(words)
                words = []
        elif skip:
            skip = False
        elif words or not (word == "sudo" or re.fullmatch(r"[A-Z_]+=.*", word)):
            words.append(word)
    return [command for command in [*commands, words] if command]
