"""What the pages say is what the code does: fields, settings, reasons, labels, metrics, examples, commands, links."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase
from tests.tools import ROOT
from tests.unit.docs import reasons
from tests.unit.docs.bounds import bounds
from tests.unit.docs.pages import DOCS, PAGES, Page, spans

from lamplighter.api import crdgen
from lamplighter.api.kinds import KINDS, Kind
from lamplighter.core import naming
from lamplighter.deployment import sentences
from lamplighter.engine import metrics
from lamplighter.engine.index import Index
from lamplighter.engine.resources import VERBS
from lamplighter.progress.endpoint import VERDICTS
from lamplighter.progress.gauges import TrainingGauges
from lamplighter.settings import Settings
from lamplighter.training import status as training

Schema = dict[str, Any]
KIND = {kind.name: kind for kind in KINDS}
SCHEMA = {kind.name: crdgen.root_schema(kind) for kind in KINDS}
MANIFESTS = sorted((ROOT / "manifests" / "samples").rglob("*.yaml"))
EACH_KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.short_name)
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=str)


def leaves(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema, bool]]:
    """Path, schema and whether it is required, of every field that a user sets; a list of objects is one, too."""
    for name, field in schema["properties"].items():
        place, required = f"{path}.{name}".strip("."), name in schema.get("required", ())
        if "properties" in field:
            yield from leaves(field, place)
            continue
        yield place, field, required
        if "properties" in field.get("items", {}):
            yield from leaves(field["items"], f"{place}[]")


def spec_fields(kind: Kind) -> dict[str, tuple[Schema, bool]]:
    """The fields of a kind's spec by their path."""
    return {path: (schema, required) for path, schema, required in leaves(SCHEMA[kind.name]["properties"]["spec"])}


def row_of(page: Page, field: str) -> list[str]:
    """Default, bounds and meaning of a field in its page."""
    (cells,) = [cells for cells in page.rows("Field") if len(cells) == 4 and field in row_names(cells)]
    return cells[1:]


def row_names(cells: list[str]) -> list[str]:
    """The fields that a row is about."""
    found = []
    for span in spans(cells[0]):
        head, brace, parts = span.rstrip("}").partition("{")
        found += [head + part for part in parts.split(",")] if brace else [head]
    return found


def documented(kind: Kind) -> list[str]:
    """The fields of the spec that a page has a row for."""
    rows = [cells for cells in DOCS[kind.name.lower()].rows("Field") if len(cells) == 4]
    return [name for cells in rows for name in row_names(cells)]


def unknown(value: Any, schema: Schema, path: str = "") -> list[str]:
    """The fields of an object that its schema does not have."""
    if schema.get("x-kubernetes-preserve-unknown-fields") or path == "metadata":
        return []
    if isinstance(value, list):
        return [wrong for one in value for wrong in unknown(one, schema.get("items", {}), f"{path}[]")]
    if not isinstance(value, dict) or "additionalProperties" in schema:
        return []
    fields = schema.get("properties", {})
    strange = [f"{path}.{name}".strip(".") for name in value if name not in fields]
    known = [(name, one) for name, one in value.items() if name in fields]
    return strange + [wrong for name, one in known for wrong in unknown(one, fields[name], f"{path}.{name}".strip("."))]


def examples() -> Iterator[Any]:
    """Every YAML object that a page or a sample shows."""
    for page in PAGES:
        for body in page.blocks("yaml"):
            for obj in yaml.safe_load_all(body):
                yield pytest.param(obj, id=f"{page} {obj['kind']} {obj.get('metadata', {}).get('name', '')}")
    for path in MANIFESTS:
        for obj in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            yield pytest.param(obj, id=f"{path.relative_to(ROOT)} {obj['kind']}")


def targets() -> set[str]:
    """The targets of the Makefile and of what it includes."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "Makefile", *(ROOT / "tests").rglob("*.mk"))]
    return {target for text in texts for target in re.findall(r"^([a-z][a-z0-9-]*):(?!=)", text, re.MULTILINE)}


@EACH_KIND
def test_the_page_of_a_kind_has_every_field_of_its_spec_once_and_no_other(kind: Kind) -> None:
    assert sorted(documented(kind)) == sorted(spec_fields(kind))


@EACH_KIND
def test_the_page_of_a_kind_tells_the_defaults_that_the_schema_has(kind: Kind) -> None:
    wrong = {}
    for field, (schema, required) in spec_fields(kind).items():
        cell = row_of(DOCS[kind.name.lower()], field)[0]
        default = schema.get("default")
        expected = "required" if required else ", ".join(default) if isinstance(default, list) else default
        says = spans(cell)[0] if default is not None else cell
        if expected is not None and says != (expected if isinstance(expected, str) else json.dumps(expected)):
            wrong[field] = (says, expected)
        if expected is None and cell == "required":
            wrong[field] = (cell, None)
    assert wrong == {}


@EACH_KIND
def test_the_page_of_a_kind_tells_the_bounds_that_the_schema_has(kind: Kind) -> None:
    rows = {field: row_of(DOCS[kind.name.lower()], field)[1] for field in spec_fields(kind)}
    missing = {
        field: lost
        for field, (schema, _) in spec_fields(kind).items()
        if (lost := [bound for bound in bounds(schema) if not re.search(rf"(?<![\w]){bound}(?![\w])", rows[field])])
    }
    assert missing == {}


@EACH_KIND
def test_the_page_of_a_kind_names_every_field_of_its_status(kind: Kind) -> None:
    page = DOCS[kind.name.lower()]
    status = page.text.partition("\n## Status\n")[2].partition("\n## ")[0]
    said = {part for span in spans(status) for part in re.split(r"[.\[\]]+", span)}
    # What conditions are made of is Kubernetes' own.
    fields = [path for path, *_ in leaves(SCHEMA[kind.name]["properties"]["status"]) if "conditions[]" not in path]
    assert {part for path in fields for part in re.split(r"[.\[\]]+", path) if part} - said == set()


def test_the_page_of_trainings_names_every_column_of_kubectl() -> None:
    (training,) = [kind for kind in KINDS if kind.short_name == "mt"]
    assert DOCS["modeltraining"].names("Column") == [column["name"] for column in training.columns]


def test_every_setting_is_in_the_table_with_its_default_and_nothing_else_is() -> None:
    prefix = Settings.model_config["env_prefix"]
    wanted = {}
    for name, field in Settings.model_fields.items():
        default = field.default if field.default_factory is None else None
        wanted[str(field.validation_alias or f"{prefix}{name.upper()}")] = default
    rows = DOCS["installation"].rows("Variable")
    assert sorted(spans(cells[0])[0] for cells in rows) == sorted(wanted)
    for cells in rows:
        default = wanted[spans(cells[0])[0]]
        if default is not None:
            written = default if isinstance(default, str) else json.dumps(default)
            assert spans(cells[1]) == [written], cells[0]


def test_every_environment_variable_of_the_operator_that_a_page_names_is_a_setting() -> None:
    named = set(re.findall(r"`((?:LAMPLIGHTER|POD)_[A-Z_]+)`", DOCS["installation"].text))
    assert named == {spans(cells[0])[0] for cells in DOCS["installation"].rows("Variable")}


def test_every_reason_that_the_code_can_give_is_explained() -> None:
    possible = reasons.possible()
    assert len(possible) > 30
    # A failed run has the reason of its failure.
    assert possible - {"Failed"} - set(DOCS["failure_modes"].names("Reason")) == set()


def test_every_reason_that_is_explained_can_be_given() -> None:
    kubernetes_own = {"BackoffLimitExceeded"}
    possible = reasons.possible()
    assert set(DOCS["failure_modes"].names("Reason")) - possible == kubernetes_own


@pytest.mark.parametrize(
    ("heading", "obstacles", "terminal"),
    [
        ("ModelTraining: a run waits", training._STALLING, set()),
        ("ModelDeployment", sentences.STALLING, {"Refused", "NameTaken", "ApiServerFails", "OperatorFails"}),
    ],
)
def test_the_column_stalled_says_what_waits_for_the_user(
    heading: str, obstacles: frozenset[str], terminal: set[str]
) -> None:
    section = DOCS["failure_modes"].prose.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    stalled = dict(re.findall(r"^\| `(\w+)` \| (yes|no) \|", section, re.MULTILINE))
    assert {reason for reason, says in stalled.items() if says == "yes"} == obstacles | terminal


def test_every_label_and_annotation_is_explained_and_no_other() -> None:
    marks = {
        value for value in vars(naming).values() if isinstance(value, str) and re.fullmatch(r"[\w.-]+/[\w-]+", value)
    }
    marks |= set(naming.OWNER_LABEL.values())
    page = DOCS["labels_annotations"]
    assert {*page.names("Label"), *page.names("Annotation")} == marks - {f"{naming.MANAGED_BY}={naming.MANAGER}"} - {
        value for value in marks if value.endswith("/v1alpha1")
    }


def test_every_metric_is_in_the_table_with_its_labels() -> None:
    collectors = [value for value in vars(metrics).values() if isinstance(value, MetricWrapperBase)]
    wanted = {}
    for one in collectors:
        (family,) = one.describe()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        wanted[name] = sorted(one._labelnames)  # the library has no other way to ask
    rows = DOCS["installation"].rows("Metric")
    assert {spans(cells[0])[0]: sorted(spans(cells[1])) for cells in rows} == wanted


def test_every_gauge_of_the_trainings_is_in_the_table_with_its_labels() -> None:
    wanted = {family.name: sorted(family._labelnames) for family in TrainingGauges(Index()).collect()}
    rows = DOCS["installation"].rows("Gauge")
    assert {spans(cells[0])[0]: sorted(spans(cells[1])) for cells in rows} == wanted


def test_every_verdict_on_a_report_is_named() -> None:
    said = {span for cells in DOCS["installation"].rows("Metric") for span in spans(cells[2])}
    assert {*VERDICTS.values(), "accepted", "gone", "error"} <= said


def test_the_table_of_verbs_is_what_the_operator_is_granted() -> None:
    said = {
        span if "/" in span else f"/{span}": {verb.strip() for verb in re.sub(r"\(.*\)", "", cells[1]).split(",")}
        for cells in DOCS["installation"].rows("Resource")
        for span in spans(cells[0])
    }
    assert said == VERBS


@pytest.mark.parametrize("obj", list(examples()))
def test_an_example_is_valid_and_has_no_field_that_does_not_exist(obj: dict[str, Any]) -> None:
    assert {"apiVersion", "kind"} <= obj.keys()
    if obj["apiVersion"].startswith("lamplighter.dev/"):
        schema = SCHEMA[obj["kind"]]
        assert unknown(obj, schema) == []
        jsonschema.Draft202012Validator(schema).validate(obj)
        parsed = KIND[obj["kind"]].model.model_validate(obj)
        assert parsed.model_dump(exclude_unset=True).keys() >= {"spec"}


@EACH_PAGE
def test_a_patch_in_a_command_names_fields_that_exist(page: Page) -> None:
    by_name = {name: SCHEMA[kind.name] for kind in KINDS for name in (kind.short_name, kind.name.lower())}
    for command in page.commands():
        if match := re.match(r"kubectl patch (\w+) \S+ --type=merge -p '(.*)'", command):
            assert unknown(json.loads(match.group(2)), by_name[match.group(1)]) == [], command


@EACH_PAGE
def test_a_jsonpath_in_a_command_leads_to_fields_that_exist(page: Page) -> None:
    by_name = {kind.short_name: SCHEMA[kind.name] for kind in KINDS}
    for command in page.commands():
        if not (match := re.match(r"kubectl get (mt|md) .*-o (jsonpath|custom-columns)=", command)):
            continue
        root = by_name[match.group(1)]
        for path in re.findall(r"\.((?:status|spec)(?:\.\w+)+)", command):
            schema = root
            for part in path.split("."):
                assert part in schema.get("properties", {}), f"{path} in {command}"
                schema = schema["properties"][part]


@EACH_PAGE
def test_every_make_target_that_is_named_exists(page: Page) -> None:
    said = {
        match.group(1)
        for command in page.commands()
        if (match := re.match(r"make (?:[A-Z]+=\S+ )*([a-z][a-z0-9-]*)", command))
    }
    assert said - targets() == set()


@EACH_PAGE
def test_every_link_leads_to_a_page_and_a_heading(page: Page) -> None:
    for link in page.links():
        name, _, anchor = link.partition("#")
        target = Page((page.path.parent / name).resolve() if name else page.path)
        assert target.path.exists(), link
        assert not anchor or anchor in target.anchors(), link


def test_every_page_can_be_reached_from_another() -> None:
    reached = {(page.path.parent / link.partition("#")[0]).resolve() for page in PAGES for link in page.links()}
    assert {page.path for page in DOCS.values()} - reached == set()
