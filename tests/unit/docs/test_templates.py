"""The forms for issues and the list for pull requests ask for what exists."""

import re
from typing import Any

import pytest
import yaml
from tests.tools import ROOT

from lamplighter.api.kinds import KINDS

TEMPLATES = ROOT / ".github"
FORMS = sorted((TEMPLATES / "ISSUE_TEMPLATE").glob("*.yml"))


def form(name: str) -> dict[str, Any]:
    """A form by the name of its file."""
    found: dict[str, Any] = yaml.safe_load((TEMPLATES / "ISSUE_TEMPLATE" / name).read_text())
    return found


def test_a_bug_report_asks_for_the_object_the_log_and_the_versions() -> None:
    asked = {field["id"]: field for field in form("bug_report.yml")["body"] if "id" in field}
    required = {name for name, field in asked.items() if field.get("validations", {}).get("required")}
    assert {"object", "operator", "versions"} <= required
    named = re.findall(r"kubectl describe (\w+)", asked["object"]["attributes"]["description"])
    assert named == [kind.short_name for kind in KINDS]


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_every_field_of_a_form_has_a_name_of_its_own_and_a_label(path: Any) -> None:
    fields = [field for field in form(path.name)["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields) > 0
    assert all(field["attributes"]["label"] for field in fields)


@pytest.mark.parametrize("path", [*FORMS, TEMPLATES / "PULL_REQUEST_TEMPLATE.md"], ids=lambda path: path.name)
def test_every_link_of_a_template_leads_to_a_file(path: Any) -> None:
    linked = re.findall(r"\]\(\.\./blob/main/([^)]+)\)", path.read_text())
    assert [target for target in linked if not (ROOT / target).is_file()] == []


def test_the_list_for_pull_requests_names_targets_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    commands = re.findall(r"`make ([a-z -]+)`", (TEMPLATES / "PULL_REQUEST_TEMPLATE.md").read_text())
    assert commands
    assert [one for command in commands for one in command.split() if f"\n{one}:" not in makefile] == []
