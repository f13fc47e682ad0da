"""What the core says in English, read from its source: messages, hints and places of its errors."""

import ast
import re
from dataclasses import dataclass
from functools import cache
from itertools import chain, product
from pathlib import Path

import tenfold
from tenfold.web.errors import OWN, STATUS

ROOT = Path(tenfold.__file__).parent
SPECS = ("tenfold.specs.", "tenfold.ledger.price", "tenfold.ledger.headcount", "tenfold.loop.spec")
"""Where a `ValueError` is what Pydantic tells of a spec file."""
DRAWN = ("tenfold.web.console", "tenfold.factory.report")
"""Where other things have hints too, in words of the console."""
NAMED = re.compile(r"tenfold(?:\.\w+)+")
CODE = re.compile(r"^[a-z]+(?:-[a-z]+)*: ")
"""Of a picture that cannot be read; console/gallery.py says what each is."""
HOLE = re.compile(r"\{\w+\}")
DEEP = 4


@dataclass(frozen=True)
class Saying:
    """A sentence with holes, and who says it."""

    text: str
    at: str

    @property
    def shape(self):
        return shape(self.text)


def shape(text):
    """A sentence whatever its holes are called, and however it begins."""
    return HOLE.sub("{}", text[:1].lower() + text[1:])


@cache
def files():
    """Module → file."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def tree(module):
    return ast.parse(files()[module].read_text(encoding="utf-8"))


@cache
def reached(start):
    """Modules that one of `start` imports, by statement or by a name in a table."""
    seen, todo = set(), list(start)
    while todo:
        module = todo.pop()
        if module in seen or module not in files():
            continue
        seen.add(module)
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.ImportFrom):
                todo += [node.module, *(f"{node.module}.{one.name}" for one in node.names)]
            elif isinstance(node, ast.Import):
                todo += [one.name for one in node.names]
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                todo += NAMED.findall(node.value)
    return seen


@cache
def errors():
    """Names of every class of error."""
    names = {"TenfoldError", *(kind.__name__ for kind in (*STATUS, *OWN))}
    classes = [n for m in files() for n in ast.walk(tree(m)) if isinstance(n, ast.ClassDef)]
    while True:
        new = {c.name for c in classes if names & {_name(base) for base in c.bases}} - names
        if not new:
            return names
        names |= new


def said_by(modules):
    """What they say, and the expressions that say what was made elsewhere."""
    told, foreign = [], []
    for module in sorted(modules):
        around = _functions(module)
        for node in ast.walk(tree(module)):
            for value in _said(node, module):
                at = f"{files()[module].relative_to(ROOT.parent)}:{node.lineno}"
                for parts in _texts(value, module, around.get(node), 0):
                    text = CODE.sub("", _joined(parts))
                    own = HOLE.sub("", text)
                    if re.search(r"[A-Za-z].* |\s[A-Za-z]", own):
                        told.append(Saying(text, at))
                    elif text and not re.search("[A-Za-z]", own):
                        foreign.append((module, ast.unparse(value)))
    return told, sorted(set(foreign))


def _said(node, module):
    """Expressions of a call that a reader is told."""
    if not isinstance(node, ast.Call):
        return
    kind = _name(node.func)
    is_spec = kind == "ValueError" and module.startswith(SPECS)
    if (kind in errors() or is_spec) and node.args:
        yield node.args[0]
    if kind == "Rejected":
        yield from node.args[2:]
    for given in node.keywords:
        if given.arg == "hint" and (kind in errors() or not module.startswith(DRAWN)):
            yield given.value
        if given.arg == "where" and kind in errors() and _is_worded(given.value):
            yield given.value


def _is_worded(value):
    """Whether a place is more than a name: `task cracks`, not `body`."""
    texts = [n.value for n in ast.walk(value) if isinstance(n, ast.Constant)]
    return any(isinstance(text, str) and re.search(r"[a-z] (?!\S*\.)", text) for text in texts)


def _texts(value, module, function, depth):
    """What an expression may say: lists of text, and of expressions for its holes."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return [[value.value]]
    if isinstance(value, ast.JoinedStr):
        parts = [_part(one, module, function, depth) for one in value.values]
        return [list(chain(*choice)) for choice in product(*parts)]
    if isinstance(value, ast.IfExp):
        sides = (value.body, value.orelse)
        return [found for side in sides for found in _texts(side, module, function, depth)]
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        sides = [_texts(side, module, function, depth) for side in (value.left, value.right)]
        return [first + second for first, second in product(*sides)]
    if isinstance(value, ast.Name | ast.Call) and depth < DEEP:
        meant = _meant(value, module, function)
        found = [text for one, where in meant for text in _texts(one, *where, depth + 1)]
        return found or [[value]]
    return [[value]]


def _part(one, module, function, depth):
    if isinstance(one, ast.Constant):
        return [[one.value]]
    if isinstance(one.value, ast.IfExp):
        return _texts(one.value, module, function, depth)
    return [[one.value]]


def _meant(value, module, function):
    """What a name was given in its function or file, or what a function of the file answers."""
    name = _name(value.func) if isinstance(value, ast.Call) else value.id
    if isinstance(value, ast.Call):
        made = [n for n in tree(module).body if isinstance(n, ast.FunctionDef) and n.name == name]
        answers = [n for f in made for n in ast.walk(f) if isinstance(n, ast.Return)]
        return [(n.value, (module, made[0])) for n in answers if _is_text(n.value)]
    inside = [n.value for n in ast.walk(function) if _gives(n, name)] if function else []
    if inside:
        return [(one, (module, function)) for one in inside]
    for node in tree(module).body:
        if _gives(node, name):
            return [(node.value, (module, None))]
        if isinstance(node, ast.ImportFrom) and name in {one.name for one in node.names}:
            there = tree(node.module).body if node.module in files() else []
            return [(n.value, (node.module, None)) for n in there if _gives(n, name)]
    return []


def _is_text(value):
    return isinstance(value, ast.JoinedStr | ast.Constant | ast.IfExp)


def _gives(node, name):
    return isinstance(node, ast.Assign) and name in {_name(one) for one in node.targets}


def _functions(module):
    """Node → the innermost function around it."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    made = [node for node in ast.walk(tree(module)) if isinstance(node, kinds)]
    return {node: one for one in made for node in ast.walk(one)}


def _name(node):
    return getattr(node, "id", getattr(node, "attr", ""))


def _joined(parts):
    """With holes named after their expressions, as well as that goes."""
    text, names = "", []
    for part in parts:
        if isinstance(part, str):
            text += part
        else:
            name = _hole(part)
            names.append(name)
            text += f"{{{name}{names.count(name) if names.count(name) > 1 else ''}}}"
    return text


def _hole(node):
    name = _name(node).strip("_").lower()
    if name:
        return name
    inner = [getattr(node, part, None) for part in ("value", "elt", "left", "func")]
    inner += [*getattr(node, "args", [])[:1], *getattr(node, "values", [])[:1]]
    names = [_hole(one) for one in inner if isinstance(one, ast.expr)]
    return next((one for one in reversed(names) if one != "value"), "value")
