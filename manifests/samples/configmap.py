"""Writes a sample's code as the ConfigMap that `kubectl apply -f` takes: configmap.py NAME FOLDER > code.yaml."""

import sys
from pathlib import Path

import yaml


class _Dumper(yaml.SafeDumper):
    """Shows files as they are, line by line."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def config_map(name: str, folder: Path) -> str:
    """The YAML of a ConfigMap with all Python files of a folder."""
    files = {path.name: path.read_text() for path in sorted(folder.glob("*.py"))}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": files}
    note = f"# Made from {folder.name}/*.py by `make samples`: change it there.\n"
    return note + yaml.dump(body, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)


if __name__ == "__main__":
    sys.stdout.write(config_map(sys.argv[1], Path(sys.argv[2])))
