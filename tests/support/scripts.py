"""Scripts of the checkout that no package holds, loaded to be tested."""

import importlib.util
import sys
from types import ModuleType

from support import ROOT


def load_script(
    place: str,  # such as tools/site.py, inside the checkout
) -> ModuleType:
    "The module that a script is; what stands beside it can be imported, as when it is run"
    path = ROOT / place
    name = f"script_{place.removesuffix('.py').replace('/', '_')}"
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None, path
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
