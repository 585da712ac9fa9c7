# SPDX-License-Identifier: GPL-2.0-or-later
"""One-line faults of a C file: finds them, and writes a file that holds all of them.

The source is split into tokens; nothing is parsed beyond functions, statements and the operands of && and ||. A fault that does
not compile is dropped by the caller, so a wrong guess here does no harm.

woven() gives each function one copy per fault. The function itself begins with a switch over mutate_number, which is read from
the environment when a program starts, so one build serves all faults of a file. Faults outside functions (numbers in #define and
in tables) are built one by one.
"""

import dataclasses
import re

TOKEN = re.compile(r"""
    (?P<space>\s+|//[^\n]*|/\*.*?\*/)
  | (?P<directive>\#(?:[^\n\\]|\\.)*)
  | (?P<string>"(?:[^"\\]|\\.)*")
  | (?P<character>'(?:[^'\\]|\\.)+')
  | (?P<number>\.?\d(?:[eEpP][+-]|[\w.])*)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<sign><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|.)
""", re.VERBOSE | re.DOTALL)

SWAPPED = {
    "compare": {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="},
    "and-or": {"&&": "||", "||": "&&"},
    "arithmetic": {"+": "-", "-": "+", "*": "/", "/": "*", "%": "*", "&": "|", "|": "&", "^": "|", "<<": ">>", ">>": "<<",
                   "+=": "-=", "-=": "+=", "*=": "/=", "/=": "*=", "|=": "&=", "&=": "|=", "^=": "|=", "<<=": ">>=",
                   ">>=": "<<=", "++": "--", "--": "++"},
    "constant": {"true": "false", "false": "true", "MIN": "MAX", "MAX": "MIN"},
}
# Signs that have another meaning if no operand is before them.
ALSO_UNARY = {"+", "-", "*", "&"}
OPENING = {"(": ")", "[": "]", "{": "}"}
ASSIGNMENTS = {"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="}
CONTROL = {"if", "while", "for", "switch"}
TYPE_WORDS = {"const", "static", "struct", "union", "enum", "unsigned", "signed", "volatile", "_Atomic", "extern", "typedef",
              "char", "short", "int", "long", "float", "double", "bool", "void"}
NOTHING = {"0", "NULL", "false", "0u"}


@dataclasses.dataclass(frozen=True)
class Token:
    kind: str
    text: str
    start: int
    end: int


@dataclasses.dataclass(frozen=True)
class Fault:
    function: str  # "" outside of functions
    operator: str
    start: int
    end: int
    replacement: str
    line: int
    original: str  # the lines it touches, with blanks squeezed
    mutated: str

    @property
    def key(self):
        """Identifies the fault independently of its line."""
        return (self.function, self.operator, self.original, self.mutated)


@dataclasses.dataclass
class Function:
    name: str
    type: str
    start: int  # of the return type
    body: int   # of the opening brace
    end: int
    head: str   # from the name to the opening brace
    arguments: list  # None: it has a variable number of them
    tokens: list  # of the body, braces included


def tokenize(text):
    """The tokens without comments and blanks, in order."""
    tokens = []
    for match in TOKEN.finditer(text):
        if match.lastgroup != "space":
            tokens.append(Token(match.lastgroup, match.group(), match.start(), match.end()))
    return tokens


def closing(tokens, i):
    """The index of the bracket that closes the one at i."""
    depth = 0
    for j in range(i, len(tokens)):
        if tokens[j].kind == "sign":
            if tokens[j].text in OPENING:
                depth += 1
            elif tokens[j].text in OPENING.values():
                depth -= 1
                if depth == 0:
                    return j
    raise ValueError(f"no end of the bracket at {tokens[i].start}")


def argument_names(tokens):
    """The names in a list of parameters; None if it ends in "..."."""
    names = []
    groups = [[]]
    depth = 0
    for token in tokens:
        depth += (token.text in OPENING) - (token.text in OPENING.values())
        if token.text == "," and depth == 0:
            groups.append([])
        else:
            groups[-1].append(token)
    for group in groups:
        texts = [token.text for token in group]
        if "..." in texts:
            return None
        if texts in ([], ["void"]):
            continue
        if "(" in texts:  # a pointer to a function
            names.append(texts[texts.index("(") + 2])
            continue
        if "[" in texts:
            group = group[:texts.index("[")]
        names.append([token.text for token in group if token.kind == "name"][-1])
    return names


def functions(text):
    """(the functions of a file, the tokens outside of them)"""
    tokens = tokenize(text)
    found = []
    outside = []
    begin = i = 0
    while i < len(tokens):
        token = tokens[i]
        if token.kind == "directive" or token.text in (";", "}"):
            outside.append(token)
            i += 1
            begin = i
        elif token.text == "(" and i > begin:
            close = closing(tokens, i)
            if close + 1 < len(tokens) and tokens[close + 1].text == "{":
                end = closing(tokens, close + 1)
                kind = " ".join(t.text for t in tokens[begin:i - 1] if t.text not in ("static", "inline"))
                found.append(Function(tokens[i - 1].text, kind, tokens[begin].start, tokens[close + 1].start, tokens[end].end,
                                      text[tokens[i - 1].start:tokens[close + 1].start],
                                      argument_names(tokens[i + 1:close]), tokens[close + 1:end + 1]))
                del outside[len(outside) - (i - begin):]
                i = end + 1
                begin = i
            else:
                outside.extend(tokens[i:close + 1])
                i = close + 1
        elif token.text == "{":
            close = closing(tokens, i)
            outside.extend(tokens[i:close + 1])
            i = close + 1
        else:
            outside.append(token)
            i += 1
    return found, outside


def shifted(number):
    """A changed literal, or None."""
    if re.fullmatch(r"0[uUlL]*", number):
        return number.replace("0", "1", 1)
    if re.fullmatch(r"1[uUlL]*", number):
        return number.replace("1", "0", 1)
    match = re.fullmatch(r"(0[xX][0-9a-fA-F]+|\d+)([uUlL]*)", number)
    if match:
        if match.group(1)[:2] in ("0x", "0X"):
            return f"{int(match.group(1), 16) + 1:#x}{match.group(2)}"
        if match.group(1)[0] == "0":
            return None  # an octal one is a mode of a file
        return f"{int(match.group(1)) + 1}{match.group(2)}"
    if re.fullmatch(r"\d*\.\d*", number):
        return f"(2 * {number})"
    return None


def is_operand_end(token):
    return token.kind in ("number", "string", "character") or token.text in (")", "]") or \
        (token.kind == "name" and token.text not in ("return", "case", "sizeof"))


def is_declaration(statement):
    """Whether a statement, given without its semicolon, is a declaration."""
    if statement[0].text in TYPE_WORDS or statement[0].text.startswith("_cleanup"):
        return True
    texts = [token.text for token in statement[:3]]
    if statement[0].kind != "name" or len(statement) < 2:
        return False
    return statement[1].kind == "name" or (texts[1:2] == ["*"] and len(statement) > 2 and statement[2].kind == "name")


class Finder:
    """The faults of one function's body."""

    def __init__(self, text, function):
        self.text = text
        self.function = function
        self.tokens = function.tokens
        self.edits = []  # (operator, start, end, replacement)
        self.declarations = []  # ranges of token indexes

    def edit(self, operator, first, last, replacement):
        self.edits.append((operator, self.tokens[first].start, self.tokens[last].end, replacement))

    def source(self, first, last):
        return self.text[self.tokens[first].start:self.tokens[last].end]

    def find(self):
        self.block(0)
        self.expressions()
        return self.edits

    def block(self, i):
        close = closing(self.tokens, i)
        i += 1
        while i < close:
            i = self.statement(i)
        return close + 1

    def until_semicolon(self, i):
        while self.tokens[i].text != ";":
            i = closing(self.tokens, i) + 1 if self.tokens[i].text in OPENING else i + 1
        return i

    def statement(self, i):
        """Records the faults of the statement at i. Returns the index after it."""
        word = self.tokens[i].text
        if word == "{":
            return self.block(i)
        if word == ";":
            return i + 1
        if word in CONTROL:
            close = closing(self.tokens, i + 1)
            self.condition(word, i + 1, close)
            i = self.statement(close + 1)
            if word == "if" and self.tokens[i].text == "else":
                i = self.statement(i + 1)
            return i
        if word == "do":
            i = self.statement(i + 1)
            close = closing(self.tokens, i + 1)
            self.condition("while", i + 1, close)
            return close + 2
        if word in ("case", "default"):
            colon = next(j for j in range(i, len(self.tokens)) if self.tokens[j].text == ":")
            if word == "case":
                self.edit("case", i, colon, "")
            return colon + 1
        if self.tokens[i + 1].text == ":":
            return i + 2  # a label
        if self.is_loop_macro(i):
            return self.statement(closing(self.tokens, i + 1) + 1)
        end = self.until_semicolon(i)
        if word == "return":
            self.result(i + 1, end - 1)
        elif word in ("break", "continue"):
            self.edit("statement", i, end, ";")
        elif is_declaration(self.tokens[i:end]):
            self.declarations.append((i, end))
        elif word != "goto" and not re.fullmatch(r"\(void\)\w+", self.source(i, end - 1)):
            self.edit("statement", i, end, ";")
        return end + 1

    def is_loop_macro(self, i):
        if self.tokens[i].kind != "name" or self.tokens[i].text == "return" or self.tokens[i + 1].text != "(":
            return False
        after = self.tokens[closing(self.tokens, i + 1) + 1]
        return after.text == "{" or after.kind == "name"

    def condition(self, word, opening, close):
        first, last = opening + 1, close - 1
        if word == "switch":
            return
        if word == "for":
            first = self.until_semicolon(first) + 1
            last = self.until_semicolon(first) - 1
        if first > last:
            return
        inner = [token.text for token in self.tokens[first:last + 1]]
        # A single comparison or a single ! is negated by its own operator.
        single = not {"&&", "||", "?", "&", "|"} & set(inner)
        if not (single and ("==" in inner or "!=" in inner or inner[0] == "!")):
            self.edit("negate", first, last, f"!({self.source(first, last)})")
        if word == "if":
            self.edit("guard", first, last, f"({self.source(first, last)}) && 0")

    def result(self, first, last):
        kind = self.function.type
        if first > last:
            return
        value = self.source(first, last)
        if kind == "bool":
            other = {"true": "false", "false": "true"}.get(value, f"!({value})")
        elif "*" in kind:
            other = "NULL"
        elif kind == "int":
            other = "-5" if value == "0" else "0"
        elif "struct" in kind:
            return
        else:
            other = f"({value}) + 1"
        if other != value:
            self.edit("return", first, last, other)

    def boundary(self, i, step, stops):
        """The last index of an operand, from i on in the direction of step."""
        depth = 0
        into, out = (OPENING.values(), OPENING) if step < 0 else (OPENING, OPENING.values())
        while True:
            text = self.tokens[i].text
            if text in into:
                depth += 1
            elif text in out:
                if depth == 0:
                    return i - step
                depth -= 1
            elif depth == 0 and (text in stops or text in (",", ";", "?", ":", "return") or text in ASSIGNMENTS):
                return i - step
            i += step

    def clause(self, i):
        stops = {"&&", "||"} if self.tokens[i].text == "&&" else {"||"}
        neutral = "|| 1" if self.tokens[i].text == "&&" else "&& 0"
        first, last = self.boundary(i - 1, -1, stops), self.boundary(i + 1, 1, stops)
        self.edit("clause", first, i - 1, f"(({self.source(first, i - 1)}) {neutral})")
        self.edit("clause", i + 1, last, f"(({self.source(i + 1, last)}) {neutral})")

    def field(self, i):
        """.name = value, of an initialiser."""
        last = self.boundary(i + 3, 1, set())
        if self.source(i + 3, last) not in NOTHING:
            self.edit("field", i, last + (self.tokens[last + 1].text == ","), "")

    def is_size(self, i):
        """Whether the number at i is the size of a declared array."""
        return self.tokens[i - 1].text == "[" and self.tokens[i + 1].text == "]" and \
            any(first < i < last and self.tokens[first + 1].text != "=" and
                not any(t.text == "=" for t in self.tokens[first:i]) for first, last in self.declarations)

    def expressions(self):
        i = 1
        while i < len(self.tokens) - 1:
            token, before = self.tokens[i], self.tokens[i - 1]
            if token.text in ("sizeof", "_Static_assert") and self.tokens[i + 1].text == "(":
                i = closing(self.tokens, i + 1) + 1
                continue
            if token.kind == "number":
                other = shifted(token.text)
                # "< 2" for "< 1" is "<= 1"; 0 and positive values mean success.
                is_success = token.text == "0" and before.text == "return" and self.function.type == "int"
                if other and before.text not in ("<", ">=") and not self.is_size(i) and not is_success:
                    self.edit("constant", i, i, other)
            elif token.text in ("&&", "||"):
                self.clause(i)
            elif token.text == "?":
                first = self.boundary(i - 1, -1, set())
                self.edit("negate", first, i - 1, f"!({self.source(first, i - 1)})")
            elif token.text == "!":
                self.edit("not", i, i, "")
            elif token.text == "." and before.text in ("{", ",") and self.tokens[i + 2].text == "=":
                self.field(i)
            for operator, pairs in SWAPPED.items():
                if token.text in pairs and (token.text not in ALSO_UNARY or is_operand_end(before)):
                    # With blanks, because "/" before "*" would begin a comment.
                    self.edit(operator, i, i, f" {pairs[token.text]} " if operator == "arithmetic" else pairs[token.text])
            i += 1


def squeezed(text):
    return " ".join(text.split())


def make(text, function, operator, start, end, replacement):
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", end)
    last = len(text) if last < 0 else last
    return Fault(function, operator, start, end, replacement, text.count("\n", 0, start) + 1, squeezed(text[first:last]),
                 squeezed(text[first:start] + replacement + text[end:last]))


def outside_faults(text, tokens):
    for token in tokens:
        if token.kind == "directive":
            match = re.match(r"#\s*define\s+\w+(\([^)]*\))?", token.text)
            if match:
                for part in tokenize(token.text[match.end():]):
                    if part.kind == "number" and shifted(part.text):
                        start = token.start + match.end() + part.start
                        yield make(text, "", "constant", start, start + len(part.text), shifted(part.text))
    depth = 0
    asserts = False
    for i, token in enumerate(tokens):
        if token.text in ("_Static_assert", ";"):
            asserts = token.text != ";"
        depth += (token.text in OPENING) - (token.text in OPENING.values())
        if token.kind == "number" and depth > 0 and not asserts and tokens[i - 1].text != "[" and shifted(token.text):
            yield make(text, "", "constant", token.start, token.end, shifted(token.text))


def faults(text):
    """All faults of a C file in the order of their lines; no two of them give the same text."""
    found, outside = functions(text)
    seen = set()
    result = []

    def add(fault):
        change = (fault.start, fault.end, fault.replacement)
        # Two operators may make the same edit.
        if change not in seen:
            seen.add(change)
            result.append(fault)

    for fault in outside_faults(text, outside):
        add(fault)
    for function in found:
        if function.name.isupper():
            continue  # a macro's arguments
        for edit in Finder(text, function).find():
            add(make(text, function.name, *edit))
    return sorted(result, key=lambda fault: (fault.start, fault.end, fault.operator, fault.replacement))


PREAMBLE = """\
#include <stdlib.h>
static unsigned mutate_number;
__attribute__((constructor)) static void mutate_begin(void)
{
	const char *number = getenv("MUTATE_NUMBER");
	mutate_number = number ? (unsigned)strtoul(number, NULL, 10) : 0;
}
"""


def woven(text, path, wanted):
    """The source with every fault of {number: fault} that is in a function. A compiler message about "mutant-N" is about fault N."""
    found, _ = functions(text)
    pieces = [PREAMBLE, f'#line 1 "{path}"\n']
    position = 0
    for function in found:
        own = {number: fault for number, fault in wanted.items()
               if fault.function == function.name and function.body < fault.start < function.end}
        if not own or function.arguments is None:
            continue
        line = text.count("\n", 0, function.start) + 1
        prefix = text[function.start:function.body - len(function.head)]
        call = ", ".join(function.arguments)
        pieces.append(text[position:function.start])
        pieces.append(f"{prefix}{function.head.rstrip()};\n")
        cases = []
        for number, fault in own.items():
            body = text[function.body:fault.start] + fault.replacement + text[fault.end:function.end]
            head = function.head.replace(function.name, f"mutant_{number}", 1)
            kind = prefix if "static" in prefix else f"static {prefix}"
            pieces.append(f'#line 1 "mutant-{number}"\n{kind}{head}{body}\n')
            cases.append(f"case {number}: mutant_{number}({call}); return;" if function.type == "void" else
                         f"case {number}: return mutant_{number}({call});")
        pieces.append(f'#line {line} "{path}"\n{text[function.start:function.body]}' + "{" +
                      "switch (mutate_number) {" + " ".join(cases) + "}")
        pieces.append(text[function.body + 1:function.end])
        position = function.end
    pieces.append(text[position:])
    return "".join(pieces)
