"""What a result depends on, as a hash: values, files, code, and the versions of the libraries it reaches.

A function is what its instructions, constants, defaults, closure and global variables are; the source of every netlib
module and of every module of the user's own that it reaches, through imports at any depth; and the versions of the
installed libraries that these import. What cannot be told this way is refused, never guessed.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import copyreg
import dataclasses
import dis
import enum
import functools
import hashlib
import importlib
import importlib.machinery
import importlib.metadata
import os
import platform
import sys
import sysconfig
import time
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from netlib.base.provenance import file_hash

__all__ = ["fingerprint", "hash_files", "reached"]

_PACKAGE = Path(__file__).resolve().parents[1]
_STARTED = time.time()
#: Folders of installed libraries: what lies there is told by its version, not by its source.
_INSTALLED = tuple(
    {str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
#: Files below a folder given as a value that are read; more are refused.
_MOST_FILES = 10_000


def fingerprint(*values: Any, where: str = "value") -> str:
    """Hash of values, functions and what they reach, the same in every process on the same files.

    Parameters
    ----------
    *values
        Numbers, texts, arrays, tables, dataclasses, containers of them; paths, which count with the content of the
        file; functions, methods, partials, classes and modules.
    where : str
        What the values are called in a refusal.

    Raises
    ------
    TypeError
        If a value, or something that a function reaches, cannot be told; the message names it and the way out.

    Examples
    --------
    >>> fingerprint(1.0) == fingerprint(1.0), fingerprint(float("inf")) == fingerprint("inf")
    (True, False)
    >>> make = lambda k: lambda x: k * x
    >>> fingerprint(make(1)) == fingerprint(make(3))
    False
    """
    teller = _Teller()
    for value in values:
        teller.add(value, where)
    return teller.digest()


def hash_files(paths: Iterable[str | os.PathLike]) -> list[str]:
    """Hash of the content of each file; one that has not changed since the last call is not read again."""
    return [_hash_of_file(os.path.abspath(path)) for path in paths]


def _hash_of_file(path: str) -> str:
    facts = os.stat(path)
    return _read_file(path, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size, facts.st_ino)


@functools.lru_cache(maxsize=100_000)
def _read_file(path: str, *_: int) -> str:
    return file_hash(path)


# ---------------------------------------------------------------- values


class _Teller:
    """Feeds what values are into one hash; ``modules`` collects what they reach."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self.seen: dict[int, int] = {}
        self.held: list[Any] = []  # an object that is gone may leave its id to another
        self.modules: set[str] = set()
        self.taken: set[tuple[str, str]] = set()  # names of modules that were told

    def digest(self) -> str:
        sources, libraries = reached(self.modules)
        for name in (*sorted(sources.items()), *sorted(libraries.items()), ("python", platform.python_version())):
            self.feed("reached", *name)
        return self.hash.hexdigest()

    def feed(self, *parts: str | bytes) -> None:
        for part in parts:
            data = part.encode(errors="surrogatepass") if isinstance(part, str) else part
            self.hash.update(len(data).to_bytes(8, "little"))
            self.hash.update(data)

    def add(self, value: Any, where: str) -> None:
        """Feed one value."""
        if type(value) in _PLAIN:
            return self._scalar(value)
        if id(value) in self.seen:
            return self.feed("seen", str(self.seen[id(value)]))
        self.seen[id(value)] = len(self.seen)
        self.held.append(value)
        if isinstance(value, np.generic):
            return self._numpy_scalar(value, where)
        if isinstance(value, np.ndarray):
            return self._array(value, where)
        if isinstance(value, os.PathLike):
            return self._path(Path(value), where)
        if isinstance(value, types.ModuleType):
            return self._module(value, where)
        if isinstance(value, type):
            return self._class(value, where)
        if isinstance(value, _PLAIN) and not isinstance(value, enum.Enum):  # of a class derived from them
            self._scalar(_plain_of(value))
            return self._rest(value, where)
        if isinstance(value, (list, tuple, set, frozenset, Mapping)):
            self._container(value, where)
            return self._rest(value, where)
        if not self._function(value, where):
            self._object(value, where)
        return None

    def _scalar(self, value: Any) -> None:
        text = value.hex() if isinstance(value, float) else hex(value) if type(value) is int else repr(value)
        self.feed(type(value).__name__, text)

    def _rest(self, value: Any, where: str) -> None:
        """What an object of a class derived from a number, a text or a container has beside these."""
        if type(value) in _BUILTIN:
            return
        self._class(type(value), f"the class of {where}")
        self.add(getattr(value, "default_factory", None), f"the default of {where}")
        if own := getattr(value, "__dict__", None):
            self.add(dict(own), where)

    def _numpy_scalar(self, value: np.generic, where: str) -> None:
        plain = value.item()
        if type(plain) in _PLAIN and value.dtype in (np.float64, np.int64, np.bool_):
            return self._scalar(plain)
        return self._array(np.asarray(value), where)

    def _array(self, value: np.ndarray, where: str) -> None:
        self.feed("array", str(value.dtype.descr if value.dtype.names else value.dtype.str), str(value.shape))
        if value.dtype.hasobject:
            for k, item in enumerate(value.ravel().tolist()):
                self.add(item, f"{where}[{k}]")
        else:
            self.feed(np.ascontiguousarray(value).tobytes())
        if isinstance(value, np.ma.MaskedArray):
            self.add(np.ma.getmaskarray(value), f"{where}.mask")

    def _container(self, value: Any, where: str) -> None:
        self.feed(type(value).__qualname__, str(len(value)))
        if isinstance(value, Mapping):
            for key, item in value.items():
                self.add(key, f"a key of {where}")
                self.add(item, f"{where}[{key!r}]")
        elif isinstance(value, (set, frozenset)):
            for one in sorted(fingerprint(item, where=f"an item of {where}") for item in value):
                self.feed(one)
        else:
            for k, item in enumerate(value):
                self.add(item, f"{where}[{k}]")

    def _path(self, path: Path, where: str) -> None:
        self.feed("path", str(path))
        if path.is_file():
            self.feed(*hash_files([path]))
        elif path.is_dir():
            files = [p for p in sorted(path.rglob("*")) if p.is_file()]
            if len(files) > _MOST_FILES:
                raise TypeError(f"{where} = {str(path)!r} holds {len(files)} files: give the files that are read")
            self.feed(*(part for p in files for part in (str(p.relative_to(path)), *hash_files([p]))))

    def _object(self, value: Any, where: str) -> None:
        """A dataclass by its fields; anything else by what a copy of it would be made of."""
        self._class(type(value), f"the class of {where}")
        if dataclasses.is_dataclass(value):
            for field in dataclasses.fields(value):
                self.add(getattr(value, field.name), f"{where}.{field.name}")
            fields = {field.name for field in dataclasses.fields(value)}
            for name, own in getattr(value, "__dict__", {}).items():
                kept = getattr(type(value), name, None)  # what a cached_property keeps follows from the fields
                if name not in fields and not isinstance(kept, functools.cached_property):
                    self.feed(name)
                    self.add(own, f"{where}.{name}")
        elif isinstance(value, enum.Enum):
            self.feed(value.name or "")
            self.add(value.value, f"{where}.value")
        else:
            self._copied(value, where)

    def _copied(self, value: Any, where: str) -> None:
        try:
            known = copyreg.dispatch_table.get(type(value))
            made = known(value) if known else value.__reduce_ex__(4)
        except Exception as error:
            raise TypeError(
                f"{where} is {_short(value)}, whose content cannot be told ({error}): give its numbers instead"
            ) from None
        if isinstance(made, str):
            return self.feed("by name", made)
        for part in made[:3]:
            self.add(part, where)
        for part in made[3:5]:
            self.add(None if part is None else list(part), where)
        return None

    # ---------------------------------------------------------------- code

    def _function(self, value: Any, where: str) -> bool:
        """Feed a function, or say that it is none."""
        if isinstance(value, functools.partial):
            self.feed("partial")
            for part in (value.func, value.args, dict(sorted(value.keywords.items()))):
                self.add(part, where)
        elif isinstance(value, types.MethodType):
            self.feed("method")
            self.add(value.__func__, where)
            self.add(value.__self__, f"the object of {where}")
        elif isinstance(value, types.FunctionType):
            self._python_function(value, where)
        elif isinstance(value, (classmethod, staticmethod)):
            self.add(value.__func__, where)
        elif isinstance(value, property):
            self.add((value.fget, value.fset), where)
        elif hasattr(value, "py_func") and not self._is_own(type(value)):  # compiled by Numba
            self.feed("compiled", repr(getattr(value, "targetoptions", "")))
            self.add(value.py_func, where)
        elif (
            callable(value) and hasattr(value, "__wrapped__") and not self._is_own(type(value))
        ):  # such as by functools.cache
            self.feed("wrapped", type(value).__qualname__)
            self.add(value.__wrapped__, where)
        elif isinstance(
            value, (types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType, np.ufunc)
        ):
            owner = getattr(value, "__self__", None)
            self.feed(
                "builtin", getattr(value, "__module__", None) or "", getattr(value, "__qualname__", value.__name__)
            )
            if owner is not None and not isinstance(owner, (types.ModuleType, type)):
                self.add(owner, f"the object of {where}")
        else:
            return False
        return True

    def _python_function(self, function: types.FunctionType, where: str) -> None:
        self.feed("function", function.__module__ or "", function.__qualname__)
        home = str(function.__globals__.get("__name__", ""))  # functools.wraps sets __module__
        whole = self._is_whole(home)
        library = whole and _place(home) is None  # its version tells its code
        if not library:
            self._code(function.__code__)
            self.add(function.__defaults__, f"the defaults of {where}")
            self.add(function.__kwdefaults__, f"the defaults of {where}")
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            with contextlib.suppress(ValueError):  # an empty cell
                self.add(cell.cell_contents, f"{name}, which {function.__qualname__} closes over,")
                if isinstance(cell.cell_contents, types.ModuleType):
                    self._members(cell.cell_contents, _names(function.__code__))
        if whole:
            return  # the source of the module tells its global variables
        own = {name: value for name, value in vars(function).items() if name != "__wrapped__"}
        self.add(own, f"what is set on {function.__qualname__}")
        names = _names(function.__code__)
        for name in sorted(_global_names(function.__code__)):
            if name in function.__globals__:
                self.feed(name)
                value = function.__globals__[name]
                self.add(value, f"the global variable {name} of {function.__qualname__}")
                if isinstance(value, types.ModuleType):
                    self._members(value, names)
        for imported in sorted(_imports_of_code(function.__code__, function.__globals__)):
            self.modules.add(imported)
            if _place(imported) is not None and not self._is_whole(imported):
                with contextlib.suppress(Exception):  # what it holds in memory may have been set since its import
                    module = importlib.import_module(imported)
                    self.add(module, imported)
                    self._members(module, names)

    def _code(self, code: types.CodeType) -> None:
        self.feed("code", code.co_code, repr((code.co_names, code.co_varnames, code.co_freevars, code.co_flags)))
        self.feed(code.co_exceptiontable)
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self._code(constant)
            else:
                self.feed(_constant(constant))

    def _class(self, kind: type, where: str) -> None:
        self.feed("class", kind.__module__, kind.__qualname__)
        made = kind.__module__ == "builtins" and getattr(builtins, kind.__name__, None) is not kind
        if self._is_whole(kind.__module__) and not (made and kind.__flags__ & _HEAP):
            return
        for base in kind.__bases__:
            self.add(base, f"a base of {where}")
        for name, member in sorted(vars(kind).items()):
            if name not in _OF_CLASSES:
                self.feed(name)
                self.add(member, f"{kind.__qualname__}.{name}")

    def _module(self, module: types.ModuleType, where: str) -> None:
        self.feed("module", module.__name__)
        if self._is_whole(module.__name__):
            return
        for name, value in sorted(vars(module).items()):  # a global variable of it may have been set since its import
            if not name.startswith("__") and isinstance(value, _DATA):
                self.feed(name)
                self.add(value, f"{module.__name__}.{name}")

    def _members(self, module: types.ModuleType, names: set[str]) -> None:
        """Feed the functions, classes and modules that code may take from a module of the user's own."""
        if self._is_whole(module.__name__):
            return
        for name in sorted(names & vars(module).keys()):
            if (module.__name__, name) in self.taken:
                continue
            self.taken.add((module.__name__, name))
            value = vars(module)[name]
            if isinstance(value, _DATA):
                continue
            self.feed(name)
            self.add(value, f"{module.__name__}.{name}")
            if isinstance(value, types.ModuleType):
                self._members(value, names)

    def _is_own(self, kind: type) -> bool:
        """Whether a class is of the user's own."""
        return kind.__module__ == "__main__" or not self._is_whole(kind.__module__)

    def _is_whole(self, name: str | None) -> bool:
        """Take up a module as reached; whether its source or its version tells all there is to it."""
        if not name or name == "__main__":
            return False
        self.modules.add(name)
        place = _place(name)
        return place is None or _is_netlib(place)


_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis))
_BUILTIN = (*_PLAIN, list, tuple, dict, set, frozenset, types.MappingProxyType)
#: A class made by a class statement, not of C.
_HEAP = 1 << 9
_DATA = (bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset, np.ndarray, np.generic)
_OF_CLASSES = {
    "__dict__",
    "__weakref__",
    "__module__",
    "__doc__",
    "__qualname__",
    "__firstlineno__",
    "__static_attributes__",
}
_OF_CLASSES |= {"__annotations__", "__abstractmethods__", "_abc_impl", "__dataclass_fields__", "__dataclass_params__"}
_OF_CLASSES |= {"__match_args__", "__slots__", "__slotnames__", "__annotate__", "__annotations_cache__", "__replace__"}


def _short(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__module__}.{type(value).__qualname__}" if len(text) > 60 or " at 0x" in text else text


def _global_names(code: types.CodeType) -> set[str]:
    names = {
        i.argval
        for i in dis.get_instructions(code)
        if i.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
    }
    return names.union(*(_global_names(c) for c in code.co_consts if isinstance(c, types.CodeType)))


def _names(code: types.CodeType) -> set[str]:
    """Names of attributes and of global variables."""
    return set(code.co_names).union(*(_names(c) for c in code.co_consts if isinstance(c, types.CodeType)))


#: Methods of the plain classes themselves: those of a derived class may say something else.
_PLAIN_OF: dict[type, Any] = {
    int: int.__pos__,
    float: float.__pos__,
    complex: complex.__pos__,
    str: str.__str__,
    bytes: lambda value: bytes.__getitem__(value, slice(None)),
}


def _plain_of(value: Any) -> Any:
    """The number or text that a value of a derived class is, whatever its own methods say."""
    return next(plain(value) for kind, plain in _PLAIN_OF.items() if isinstance(value, kind))


def _constant(value: Any) -> str:
    """A constant of code; a set in one order, which is another in every process."""
    if isinstance(value, frozenset):
        return f"frozenset {sorted(map(_constant, value))}"
    return f"({','.join(map(_constant, value))})" if isinstance(value, tuple) else repr(value)


def _imports_of_code(code: types.CodeType, namespace: Mapping[str, Any]) -> set[str]:
    names, base = set[str](), ""
    for step in dis.get_instructions(code):
        if step.opname == "IMPORT_NAME":
            base = step.argval if _place(step.argval) or not namespace.get("__package__") else ""
            names |= {base} - {""}
        elif step.opname == "IMPORT_FROM" and base and _place(f"{base}.{step.argval}"):
            names.add(f"{base}.{step.argval}")
    if {"import_module", "__import__"} & set(code.co_names):
        names |= {text for text in code.co_consts if isinstance(text, str) and text.replace(".", "").isidentifier()}
    return names.union(*(_imports_of_code(c, namespace) for c in code.co_consts if isinstance(c, types.CodeType)))


# ---------------------------------------------------------------- modules


def reached(modules: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """What some modules reach by their imports, at any depth.

    Returns
    -------
    sources : dict
        Hash of the source of each module of netlib, or of the user's own.
    libraries : dict
        Version of each installed library.

    Raises
    ------
    TypeError
        If a module of netlib was edited after it was imported.
    """
    sources, tops, left = dict[str, str](), set[str](), list(modules)
    while left:
        name = left.pop()
        if name in sources or name.partition(".")[0] in tops:
            continue
        place = _place(name)
        if place is None:
            top = name.partition(".")[0]
            if name == top or _place(top) is None:  # a name that a module of the user's own does not have tells nothing
                tops.add(top)
            continue
        if _is_netlib(place):
            _check_fresh(name, place)
        sources[name] = _hash_of_file(str(place))
        if place.suffix == ".py":
            left += _imports(name, place)
        if "." in name and not _is_netlib(place) and _place(name.rpartition(".")[0]) is not None:
            left.append(name.rpartition(".")[0])  # a package runs before what is in it
    return sources, {top: version for top in tops if (version := _version(top))}


def _is_netlib(place: Path) -> bool:
    return place.is_relative_to(_PACKAGE)


_places: dict[tuple[str, str | None], Path] = {}


def _place(name: str) -> Path | None:
    """Source file of a module of netlib or of the user's own; None for the standard library and what is installed."""
    found = name, getattr(sys.modules.get(name.partition(".")[0]), "__file__", None)
    place = _places.get(found)
    if place is None or not place.is_file():  # what is not there yet may be written later, and what was there moved
        place = _find_place(name)
        if place is not None:
            _places[found] = place
    return place


@functools.cache
def _is_installed(file: str) -> bool:
    return str(Path(file).resolve()).startswith(_INSTALLED)


def _find_place(name: str) -> Path | None:
    top, *inner = name.split(".")
    if top == "netlib":
        folder = _PACKAGE
    elif top in sys.builtin_module_names or top in sys.stdlib_module_names:
        return None
    else:
        loaded = getattr(sys.modules.get(top), "__file__", None)
        spec = None if loaded else importlib.machinery.PathFinder.find_spec(top)
        origin = loaded or (spec.origin if spec else None)
        folders = list((spec.submodule_search_locations if spec else None) or ()) if not origin else []
        if folders and inner:  # a folder without __init__.py
            found = (_inside(Path(folder).resolve(), inner) for folder in folders if not _is_installed(folder))
            return next((file for file in found if file is not None), None)
        if not origin or not Path(origin).is_file() or _is_installed(origin):
            return None
        file = Path(origin).resolve()
        if file.name != "__init__.py":
            return file
        folder = file.parent
    return _inside(folder, inner)


def _inside(folder: Path, inner: list[str]) -> Path | None:
    path = folder.joinpath(*inner)
    for file in (path.with_suffix(".py") if inner else None, path / "__init__.py"):
        if file is not None and file.is_file():
            return file
    return None


def _imports(name: str, place: Path) -> list[str]:
    facts = place.stat()
    return _read_imports(name, str(place), facts.st_mtime_ns, facts.st_size)


@functools.lru_cache(maxsize=10_000)
def _read_imports(name: str, path: str, *_: int) -> list[str]:
    """Modules that a source file imports, at any depth of its code; through a package's face, those behind it."""
    package = name if path.endswith("__init__.py") else name.rpartition(".")[0]
    found: list[str] = []
    tree = ast.parse(Path(path).read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found += _whole(alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parts, base]).strip(".")
            found += [module for alias in node.names for module in _behind(base, alias.name)]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            found += [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    return sorted(set(found))


def _whole(name: str) -> list[str]:
    """A module; of a package of netlib all its modules, since any may be reached through it."""
    place = _place(name)
    if place is None or place.name != "__init__.py" or not _is_netlib(place):
        return [name]
    inside = (p.relative_to(place.parent).with_suffix("") for p in place.parent.rglob("*.py"))
    return [".".join((name, *p.parts)).removesuffix(".__init__") for p in inside]


def _behind(module: str, name: str) -> list[str]:
    """The module that ``from module import name`` takes the name from."""
    place = _place(module)
    if place is None:
        return [module]
    if place.name != "__init__.py":
        return [module]
    if _place(f"{module}.{name}") is not None:
        return _whole(f"{module}.{name}")
    home = _faces(str(place), place.stat().st_mtime_ns).get(name)
    if home is None:
        return _whole(module) if name == "*" else [module]
    return _behind(home if home.startswith("netlib") or "." in home else f"{module}.{home}", name)


@functools.lru_cache(maxsize=1000)
def _faces(path: str, *_: int) -> dict[str, str]:
    """Where a package's ``__init__`` takes each name from, imported at once or, by lazy_loader, when first used."""
    homes: dict[str, str] = {}
    for node in ast.walk(ast.parse(Path(path).read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            homes |= {alias.asname or alias.name: node.module for alias in node.names}
        elif isinstance(node, ast.keyword) and node.arg == "submod_attrs":
            for home, names in ast.literal_eval(node.value).items():
                homes |= dict.fromkeys(names, home)
    return homes


def _check_fresh(name: str, place: Path) -> None:
    """Refuse a loaded module whose file was changed after its import: its code and its source disagree."""
    module = sys.modules.get(name)
    if module is None or place.stat().st_mtime < _STARTED:
        return
    compiled = {
        c.co_name: c for c in _compiled(str(place), place.stat().st_mtime_ns).co_consts if isinstance(c, types.CodeType)
    }
    for own, value in vars(module).items():
        function = getattr(value, "py_func", getattr(value, "__wrapped__", value))
        same = isinstance(function, types.FunctionType) and function.__module__ == name and own in compiled
        if same and function.__name__ == own and function.__code__ != compiled[own]:
            raise TypeError(f"{place} was edited after {name} was imported: reload the module, or start Python again")


@functools.lru_cache(maxsize=1000)
def _compiled(path: str, *_: int) -> types.CodeType:
    return compile(Path(path).read_bytes(), path, "exec", dont_inherit=True)


#: Libraries that are installed under another name than they are imported by.
_SOLD_AS = {
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "PIL": "pillow",
    "nest": "nest-simulator",
    "yaml": "PyYAML",
}


@functools.cache
def _version(top: str) -> str:
    """Version of what is installed under a name that is imported; "" for the standard library and what is not there."""
    if top in sys.stdlib_module_names or top in sys.builtin_module_names:
        return ""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(_SOLD_AS.get(top, top))
    names = _distributions().get(top, [])  # slow: it reads the list of files of all that is installed
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in sorted(set(names)))


@functools.cache
def _distributions() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()
