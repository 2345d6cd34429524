"""The folder `operator/` holds our package and hides nothing of Python's."""

import operator
import sysconfig
from pathlib import Path

from tests.tools import ROOT


def test_import_operator_gives_the_standard_librarys() -> None:
    assert Path(operator.__file__).parent == Path(sysconfig.get_path("stdlib"))
    assert operator.itemgetter(1)("ab") == "b"


def test_the_folder_of_our_package_is_no_package_itself() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()
