"""What a result depends on, as a hash: values, files, code, and the versions of the libraries it reaches.

A function is what its instructions, constants, defaults, closure and global variables are; the source of every netlib
module and of every module of the user's own that it reaches, through imports at any depth; and the versions of the
installed libraries that these import. What cannot be told this way is refused, never guessed.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import dis
import enum
import functools
import hashlib
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
    return _read_file(path, facts.st_mtime_ns, facts.st_size, facts.st_ino)


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
        if isinstance(value, _PLAIN) and not isinstance(value, np.generic):
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
        if isinstance(value, (list, tuple, set, frozenset, Mapping)):
            return self._container(value, where)
        if not self._function(value, where):
            self._object(value, where)
        return None

    def _scalar(self, value: Any) -> None:
        text = value.hex() if isinstance(value, float) else repr(value)
        self.feed(type(value).__name__ if type(value) in _PLAIN else type(value).__qualname__, text)

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
        elif isinstance(value, enum.Enum):
            self.feed(value.name)
        else:
            self._copied(value, where)

    def _copied(self, value: Any, where: str) -> None:
        try:
            made = value.__reduce_ex__(4)
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
        elif hasattr(value, "py_func"):  # compiled by Numba
            self.feed("compiled", repr(getattr(value, "targetoptions", "")))
            self.add(value.py_func, where)
        elif callable(value) and hasattr(value, "__wrapped__"):  # such as by functools.cache
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
        whole = self._is_whole(function.__module__)
        if whole and _place(function.__module__) is None:
            return  # of a library: its version tells
        self._code(function.__code__)
        self.add(function.__defaults__, f"the defaults of {where}")
        self.add(function.__kwdefaults__, f"the defaults of {where}")
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            with contextlib.suppress(ValueError):  # an empty cell
                self.add(cell.cell_contents, f"{name}, which {function.__qualname__} closes over,")
        if whole:
            return  # the source of the module tells its global variables
        for name in sorted(_global_names(function.__code__)):
            if name in function.__globals__:
                self.feed(name)
                self.add(function.__globals__[name], f"the global variable {name} of {function.__qualname__}")
        for imported in _imports_of_code(function.__code__):
            self.modules.add(imported)

    def _code(self, code: types.CodeType) -> None:
        self.feed("code", code.co_code, repr((code.co_names, code.co_varnames, code.co_freevars, code.co_flags)))
        self.feed(code.co_exceptiontable)
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self._code(constant)
            else:
                self.feed(repr(constant))

    def _class(self, kind: type, where: str) -> None:
        self.feed("class", kind.__module__, kind.__qualname__)
        if self._is_whole(kind.__module__):
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

    def _is_whole(self, name: str | None) -> bool:
        """Take up a module as reached; whether its source or its version tells all there is to it."""
        if not name or name == "__main__":
            return False
        self.modules.add(name)
        place = _place(name)
        return place is None or _is_netlib(place)


_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis))
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


def _imports_of_code(code: types.CodeType) -> set[str]:
    names = {i.argval for i in dis.get_instructions(code) if i.opname == "IMPORT_NAME" and i.argval}
    return names.union(*(_imports_of_code(c) for c in code.co_consts if isinstance(c, types.CodeType)))


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
            tops.add(name.partition(".")[0])
            continue
        if _is_netlib(place):
            _check_fresh(name, place)
        sources[name] = _hash_of_file(str(place))
        left += _imports(name, place)
    return sources, {top: version for top in tops if (version := _version(top))}


def _is_netlib(place: Path) -> bool:
    return place.is_relative_to(_PACKAGE)


@functools.cache
def _place(name: str) -> Path | None:
    """Source file of a module of netlib or of the user's own; None for the standard library and what is installed."""
    top, *inner = name.split(".")
    if top == "netlib":
        folder = _PACKAGE
    elif top in sys.builtin_module_names or top in sys.stdlib_module_names:
        return None
    else:
        loaded = getattr(sys.modules.get(top), "__file__", None)
        spec = None if loaded else importlib.machinery.PathFinder.find_spec(top)
        origin = loaded or (spec.origin if spec else None)
        if not origin or not origin.endswith(".py") or str(Path(origin).resolve()).startswith(_INSTALLED):
            return None
        file = Path(origin).resolve()
        if file.name != "__init__.py":
            return file
        folder = file.parent
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
