# SPDX-License-Identifier: MIT
"""The schema takes what it describes and nothing else; files are checked when read and written."""

import copy
import json

import jsonschema
import pytest

import made_up
from bench import results

GOOD = made_up.results(machines=("q35",))
FIRST = "$.results[0]"


def changed(change) -> dict:
    """Good results after a change."""
    data = copy.deepcopy(GOOD)
    change(data)
    return data


def faults(change) -> str:
    """What is wrong after a change."""
    with pytest.raises(results.Invalid) as caught:
        results.validate(changed(change))
    return str(caught.value)


def test_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(json.loads(results.SCHEMA.read_text()))


def places(schema, path="$"):
    """All places of the schema that name fields; conditions name them again."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield path, schema
        for key, part in schema.items():
            if key != "if":
                yield from places(part, f"{path}.{key}")


def test_every_field_is_described():
    schema = json.loads(results.SCHEMA.read_text())
    plain = {"case", "firmware", "total"}
    found = dict(places(schema))
    assert {"$", "$.properties.host", "$.$defs.row", "$.$defs.row.properties.time"} <= set(found)
    for path, part in found.items():
        assert part["additionalProperties"] is False, f"{path} takes unknown fields"
        for name, field in part["properties"].items():
            shared = schema["$defs"].get(field.get("$ref", "").removeprefix("#/$defs/"), {})
            assert name in plain or "description" in {**shared, **field}, f"{path}.{name}"


def test_made_up_results_are_valid():
    results.validate(made_up.results())


@pytest.mark.parametrize("field", ["schema", "when", "host", "versions", "firmwares", "cases",
                                   "floor", "results"])
def test_missing_field(field):
    assert f"'{field}' is a required property" in faults(lambda data: data.pop(field))


@pytest.mark.parametrize("place", [
    lambda data: data, lambda data: data["host"], lambda data: data["versions"],
    lambda data: data["firmwares"][0], lambda data: data["cases"][0], lambda data: data["floor"][0],
    lambda data: data["results"][0], lambda data: data["results"][0]["accesses"],
    lambda data: data["results"][0]["time"], lambda data: data["results"][1]["time"]["to_qboot"],
    lambda data: data["results"][0]["timeline"]])
def test_unknown_field(place):
    assert "'speed' was unexpected" in faults(lambda data: place(data).update(speed=1))


@pytest.mark.parametrize("field, value", [
    ("instructions", 0), ("instructions", "many"), ("instructions", None), ("msr_writes", -1),
    ("cpuid", 1.5), ("pages_touched", None), ("ram_left", -4096), ("status", "good"),
    ("case", "a case")])
def test_wrong_value(field, value):
    assert f"{FIRST}.{field}: " in faults(lambda data: data["results"][0].update({field: value}))


@pytest.mark.parametrize("field", ["instructions", "msr_writes", "cpuid", "pages_touched",
                                   "ram_left", "accesses", "time", "timeline"])
def test_what_was_not_measured_is_absent(field):
    results.validate(changed(lambda data: data["results"][0].pop(field)))


@pytest.mark.parametrize("status", ["refused", "failed", "skipped"])
def test_reason(status):
    """What is not ok says why; what is ok has nothing to say."""
    def without(data):
        data["results"][0]["status"] = status
    assert "'reason' is a required property" in faults(without)
    results.validate(changed(lambda data: data["results"][0].update(status=status, reason="x")))
    assert FIRST in faults(lambda data: data["results"][0].update(reason="x"))


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_hypervisor_is_a_truth_value(value):
    results.validate(changed(lambda data: data["host"].update(hypervisor=True)))
    assert "$.host.hypervisor" in faults(lambda data: data["host"].update(hypervisor=value))


def test_interval_has_both_ends():
    def half(data):
        del data["results"][0]["time"]["to_qboot"]["high"]
    assert "'high' is a dependency of 'low'" in faults(half)


@pytest.mark.parametrize("change, sentence", [
    (lambda data: data["results"].append(dict(data["results"][0])), "row ('q35', 'mayfly')"),
    (lambda data: data["cases"].append(dict(data["cases"][0])), "case q35 is there twice"),
    (lambda data: data["floor"].append(dict(data["floor"][0])), "floor of q35 is there twice"),
    (lambda data: data["firmwares"].append(dict(data["firmwares"][0])),
     "firmware mayfly is there twice"),
    (lambda data: data["results"][0].update(case="pc"), "unknown case pc"),
    (lambda data: data["results"][0].update(firmware="uboot"), "unknown firmware uboot"),
    (lambda data: data["floor"][0].update(case="pc"), "floor of an unknown case pc"),
    (lambda data: data["floor"][0].update(median_ms=1.0), "not the median of its samples"),
    (lambda data: data["results"][0]["accesses"].update(total=25), "do not add up to 25"),
    (lambda data: data["results"][0]["time"]["samples_ms"].append(95.0),
     "13 rounds, but its floor has 12"),
    (lambda data: data["floor"].clear(), "12 rounds, but its floor has none"),
    (lambda data: data["results"][0]["timeline"].update(tables=1), "the timeline goes backwards")])
def test_what_does_not_fit_together(change, sentence):
    assert sentence in faults(change)


def test_slow_firmware_takes_part_in_the_first_rounds():
    results.validate(changed(lambda data: data["results"][0]["time"]["samples_ms"].pop()))


def test_save_and_load(tmp_path):
    path = tmp_path / "new/results.json"
    results.save(GOOD, path)
    assert results.load(path) == GOOD
    assert [file.name for file in path.parent.iterdir()] == ["results.json"]


def test_save_refuses(tmp_path):
    """An invalid file replaces nothing."""
    path = tmp_path / "results.json"
    results.save(GOOD, path)
    with pytest.raises(results.Invalid):
        results.save(changed(lambda data: data.pop("when")), path)
    assert results.load(path) == GOOD


@pytest.mark.parametrize("text", ["", "[]", "{", '{"schema": NaN}'])
def test_load_refuses(tmp_path, text):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(results.Invalid) as caught:
        results.load(path)
    assert str(path) in str(caught.value)


def test_load_names_a_missing_file(tmp_path):
    with pytest.raises(results.Invalid, match="none.json"):
        results.load(tmp_path / "none.json")


def test_find():
    assert results.find_row(GOOD, "q35", "qboot")["firmware"] == "qboot"
    assert results.find_row(GOOD, "q35", "none") is None
    assert results.find_floor(GOOD, "q35")["case"] == "q35"
    assert results.find_floor(GOOD, "none") is None
