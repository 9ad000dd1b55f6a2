"""Imports modules by name or by file. Light: child processes import it before anything else."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from instruments.errors import DriverNotFoundError


def load_module(head: str) -> ModuleType:
    """Import `package.module` or the file `path/to/file.py`.

    Raises:
        DriverNotFoundError: If it cannot be imported; the cause is chained.
    """
    try:
        if not head.endswith(".py"):
            return importlib.import_module(head)
        path = Path(head).resolve()
        name = f"labwright_driver_{path.stem}_{abs(hash(str(path))):x}"
        if name in sys.modules:
            return sys.modules[name]
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None or not path.is_file():
            raise DriverNotFoundError(f"there is no Python file {path}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # before it is run: dataclasses and annotations look their module up
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        return module
    except DriverNotFoundError:
        raise
    except Exception as error:  # importing somebody's file may raise anything
        raise DriverNotFoundError(f"{head} cannot be imported: {type(error).__name__}: {error}") from error
