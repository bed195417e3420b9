"""`wayside check` says what would break where, and its exit code says whether it would."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import jsonschema
import pytest

from reconciler.cli.main import main
from tests.cli.fleets import FILES, git, write_fleet

SITE = "sites/market/site.yaml"
POOR = {SITE: FILES[SITE].replace("memory: 1Gi", "memory: 100Mi")}
X86 = {SITE: FILES[SITE].replace("linux/arm64", "linux/amd64")}


def check(root: Path, *arguments: str) -> int:
    return main(["check", str(root), *arguments])


def test_a_fleet_that_is_right_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(write_fleet(tmp_path)) == 0
    assert "ok: " in capsys.readouterr().out


def test_a_finding_fails_the_check_and_names_line_site_and_fix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(write_fleet(tmp_path, POOR)) == 1
    shown = capsys.readouterr().out
    assert "error[memory-budget]" in shown
    assert "sites/market/site.yaml:11:13" in shown
    assert "= site: market" in shown
    assert "refused: 1 error" in shown


def test_an_image_without_a_build_for_a_node_is_found_on_the_line_of_the_image(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(write_fleet(tmp_path, X86)) == 1
    shown = capsys.readouterr().out
    assert "error[image-platforms]" in shown
    assert "bases/pos/deployment.yaml:11:18" in shown


def test_the_json_document_follows_its_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(write_fleet(tmp_path, POOR), "--format", "json") == 1
    document = json.loads(capsys.readouterr().out)
    text = resources.files("reconciler.report").joinpath("schemas/check-report.json").read_text()
    jsonschema.validate(document, json.loads(text))
    assert [(site["name"], site["verdict"]) for site in document["sites"]] == [
        ("harbour", "allowed"),
        ("market", "refused"),
    ]


def test_two_runs_print_the_same_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_fleet(tmp_path, {**POOR, **{"sites/harbour/site.yaml": "nonsense: ["}})
    check(tmp_path, "--format", "json")
    first = capsys.readouterr().out
    check(tmp_path, "--format", "json")
    assert capsys.readouterr().out == first


def test_a_revision_is_checked_without_a_checkout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_fleet(tmp_path, POOR)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "poor")
    write_fleet(tmp_path)
    assert check(tmp_path) == 0
    capsys.readouterr()
    assert check(tmp_path, "--revision", "HEAD", "--format", "json") == 1
    assert json.loads(capsys.readouterr().out)["revision"] == git(tmp_path, "rev-parse", "HEAD")


def test_a_fleet_below_the_top_of_its_repository_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "deep" / "fleet"
    write_fleet(root)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "deep")
    assert check(root / "sites" / "market", "--revision", "HEAD") == 0
    assert "2 sites checked" in capsys.readouterr().out


def test_only_named_sites_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_fleet(tmp_path, POOR)
    assert check(tmp_path, "--site", "harbour") == 0
    assert "1 site checked" in capsys.readouterr().out


def test_a_site_that_does_not_exist_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(write_fleet(tmp_path), "--site", "harbor") == 2
    assert "there is no site 'harbor' in this fleet" in capsys.readouterr().err


def test_outside_a_fleet_it_says_how_to_make_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path) == 2
    assert "wayside init" in capsys.readouterr().err


def test_a_broken_site_hides_no_other_and_is_not_taken_for_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_fleet(tmp_path, {"sites/harbour/site.yaml": "kind: [", **POOR})
    assert check(tmp_path, "--format", "json") == 1
    document = json.loads(capsys.readouterr().out)
    assert [(site["name"], site["verdict"]) for site in document["sites"]] == [
        ("harbour", "broken"),
        ("market", "refused"),
    ]


def test_an_overlay_that_cannot_be_built_is_a_finding_of_its_site(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_fleet(tmp_path, {"sites/market/kustomization.yaml": "resources: [../../bases/poss]\n"})
    assert check(tmp_path, "--format", "json") == 1
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert finding["rule"] == "render"
    assert finding["sites"] == ["market"]
    assert finding["location"]["path"] == "sites/market/kustomization.yaml"


def test_a_lock_that_cannot_be_read_lets_no_site_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_fleet(tmp_path, {"images.lock": "images: 7\n"})
    assert check(tmp_path, "--format", "json") == 1
    document = json.loads(capsys.readouterr().out)
    assert {site["verdict"] for site in document["sites"]} == {"broken"}
    assert [finding["rule"] for finding in document["findings"]] == ["lock-schema"]
    assert document["findings"][0]["sites"] == ["harbour", "market"]


def test_many_sites_over_processes_give_the_same_as_over_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sites = {
        f"sites/s{number:03}/{name}": FILES[f"sites/market/{name}"].replace("market", f"s{number:03}")
        for number in range(70)
        for name in ("site.yaml", "kustomization.yaml")
    }
    write_fleet(tmp_path, {**sites, **POOR})
    assert check(tmp_path, "--format", "json", "--processes", "1") == 1
    alone = capsys.readouterr().out
    assert check(tmp_path, "--format", "json", "--processes", "3") == 1
    assert capsys.readouterr().out == alone


def test_the_threshold_is_the_caller_s(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = FILES["bases/pos/deployment.yaml"].replace("acme/pos:1", "acme/unlocked:1")
    write_fleet(tmp_path, {"bases/pos/deployment.yaml": image})
    code = check(tmp_path, "--fail-on", "warning")
    assert code == 1
    assert "warning[digest-pinned]" in capsys.readouterr().out


def test_the_result_can_go_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_fleet(tmp_path)
    target = tmp_path / "report.json"
    assert check(tmp_path, "--format", "json", "--output", str(target)) == 0
    assert capsys.readouterr().out == ""
    assert json.loads(target.read_text())["kind"] == "CheckReport"


POLICY = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: few-replicas}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}]
  validations:
    - expression: object.spec.replicas <= 5
      messageExpression: "'at most 5 replicas, found ' + string(object.spec.replicas)"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: few-replicas}
spec: {policyName: few-replicas, validationActions: [Deny]}
"""


def test_an_admission_policy_of_the_fleet_sees_defaulted_objects(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # `replicas` is not set anywhere: without the API server's default, the expression would fail.
    write_fleet(tmp_path, {"policies/few-replicas.yaml": POLICY})
    assert check(tmp_path) == 0, capsys.readouterr().out


def test_an_admission_policy_refuses_in_the_api_server_s_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overlay = "resources: [../../bases/pos]\nnamespace: shop\nreplicas: [{name: pos, count: 9}]\n"
    write_fleet(tmp_path, {"policies/few-replicas.yaml": POLICY, "sites/market/kustomization.yaml": overlay})
    assert check(tmp_path, "--format", "json") == 1
    document = json.loads(capsys.readouterr().out)
    refusals = [finding for finding in document["findings"] if "at most 5" in finding["message"]]
    assert [finding["sites"] for finding in refusals] == [["market"]]
    assert refusals[0]["message"].endswith("denied request: at most 5 replicas, found 9")


def test_an_admission_policy_that_does_not_compile_lets_nothing_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = POLICY.replace("object.spec.replicas <= 5", "objekt.spec.replicas <= 5")
    write_fleet(tmp_path, {"policies/few-replicas.yaml": broken})
    assert check(tmp_path, "--format", "json") == 1
    document = json.loads(capsys.readouterr().out)
    assert {site["verdict"] for site in document["sites"]} == {"refused"}
    locations = {finding["location"]["path"] for finding in document["findings"]}
    assert "policies/few-replicas.yaml" in locations


def with_vars(text: str) -> dict[str, str]:
    """Return a fleet whose only site `market` has vars, and whose image's argument is a text."""
    deployment = FILES["bases/pos/deployment.yaml"].replace(
        "          image: acme/pos:1\n", f"          image: acme/pos:1\n          args: ['{text}']\n"
    )
    return {SITE: FILES[SITE] + "  vars: {CITY: Ulm}\n", "bases/pos/deployment.yaml": deployment}


def test_vars_of_a_site_are_written_into_its_objects_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write_fleet(tmp_path, with_vars("${CITY} $${HOME}")))
    assert main(["render", "market"]) == 0
    assert "- Ulm ${HOME}\n" in capsys.readouterr().out
    assert main(["render", "harbour"]) == 0
    assert "- ${CITY} $${HOME}\n" in capsys.readouterr().out


def test_a_variable_that_a_site_lacks_is_found_on_the_line_that_wants_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_fleet(tmp_path, with_vars("${TOWN}"))
    assert check(tmp_path, "--format", "json") == 1
    (finding,) = [f for f in json.loads(capsys.readouterr().out)["findings"] if f["rule"] == "vars"]
    assert finding["sites"] == ["market"]
    assert finding["location"] == {"path": "bases/pos/deployment.yaml", "line": 12, "column": 18}


def commit_fleet(root: Path, changes: dict[str, str] | None = None) -> None:
    write_fleet(root, changes)
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "base")


WAIVER = """\
  rules:
    failOn: error
    settings:
      memory-budget: {severity: info}
      image-platforms: {enabled: false}
    waivers:
      - {rule: digest-pinned, reason: trial, expires: 2099-01-01, sites: [market]}
"""
LOOSENED = {
    "fleet.yaml": FILES["fleet.yaml"] + "spec:\n" + WAIVER,
    "policies/few-replicas.yaml": POLICY.replace("[Deny]", "[Audit]"),
    "trust/release.pub": "a new key\n",
}


def test_with_a_base_everything_that_a_change_takes_from_the_rules_is_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commit_fleet(
        tmp_path,
        {
            "fleet.yaml": FILES["fleet.yaml"] + "spec: {rules: {failOn: warning}}\n",
            "policies/few-replicas.yaml": POLICY,
        },
    )
    write_fleet(tmp_path, LOOSENED)
    check(tmp_path, "--base", "main", "--format", "json")
    document = json.loads(capsys.readouterr().out)
    found = {
        (f["rule"], f["message"], f["location"]["path"], f["location"]["line"])
        for f in document["findings"]
        if f["rule"] in ("rule-weakened", "waiver-added", "trust-changed")
    }
    assert document["base"] == git(tmp_path, "rev-parse", "main")
    assert found == {
        ("rule-weakened", "the fleet refused from warning, now it refuses only from error", "fleet.yaml", 6),
        ("rule-weakened", "the rule memory-budget had severity error, now it has info", "fleet.yaml", 8),
        ("rule-weakened", "the rule image-platforms is switched off", "fleet.yaml", 9),
        (
            "rule-weakened",
            "the ValidatingAdmissionPolicyBinding few-replicas is changed: it does not deny any more",
            "policies/few-replicas.yaml",
            13,
        ),
        ("waiver-added", "digest-pinned is waived for market until 2099-01-01: trial", "fleet.yaml", 11),
        (
            "trust-changed",
            "the trust root trust/release.pub is added; sites judge by it from this change on",
            "trust/release.pub",
            1,
        ),
    }


def test_a_change_that_takes_nothing_from_the_rules_is_silent_about_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commit_fleet(tmp_path, LOOSENED)
    write_fleet(tmp_path, {"policies/few-replicas.yaml": POLICY.replace("[Deny]", "[Audit]")})
    (tmp_path / "sites/market/note.txt").write_text("nothing of importance")
    assert check(tmp_path, "--base", "main", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["findings"] == []


def test_a_rule_of_the_fleet_that_is_gone_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commit_fleet(tmp_path, {"policies/few-replicas.yaml": POLICY})
    (tmp_path / "policies/few-replicas.yaml").unlink()
    assert check(tmp_path, "--base", "main") == 0
    shown = capsys.readouterr().out
    assert "warning[rule-weakened]: the ValidatingAdmissionPolicy few-replicas is gone" in shown


def test_a_base_that_is_not_here_says_what_to_fetch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commit_fleet(tmp_path)
    assert check(tmp_path, "--base", "origin/main") == 2
    assert "fetch-depth: 0" in capsys.readouterr().err


def test_a_shallow_clone_without_the_merge_base_says_how_to_deepen_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    origin = tmp_path / "origin"
    commit_fleet(origin)
    git(origin, "checkout", "-q", "-b", "change")
    for branch in ("change", "main"):
        git(origin, "checkout", "-q", branch)
        (origin / f"{branch}.txt").write_text("more")
        git(origin, "add", ".")
        git(origin, "commit", "-q", "-m", f"on {branch}")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth=1", "--branch=change", f"file://{origin}", str(clone))
    git(clone, "fetch", "-q", "--depth=1", "origin", "main:refs/remotes/origin/main")
    assert check(clone, "--base", "origin/main") == 2
    assert "git fetch --unshallow" in capsys.readouterr().err


def test_a_field_that_a_kind_does_not_have_is_found_on_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typo = FILES["bases/pos/deployment.yaml"].replace("  selector:", "  replica: 2\n  selector:")
    write_fleet(tmp_path, {"bases/pos/deployment.yaml": typo})
    assert check(tmp_path, "--format", "json") == 1
    document = json.loads(capsys.readouterr().out)
    (finding,) = [f for f in document["findings"] if f["rule"] == "schema"]
    assert finding["location"] == {"path": "bases/pos/deployment.yaml", "line": 5, "column": 12}
    assert "replica" in finding["message"]
    assert "replicas" in finding["hint"]
    assert finding["sites"] == ["harbour", "market"]
    assert {site["verdict"] for site in document["sites"]} == {"refused"}


def test_a_kind_without_a_schema_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    widget = "apiVersion: acme.dev/v1\nkind: Widget\nmetadata: {name: %s}\n"
    write_fleet(
        tmp_path,
        {
            "bases/pos/kustomization.yaml": "resources: [deployment.yaml, widgets.yaml]\n",
            "bases/pos/widgets.yaml": widget % "a" + "---\n" + widget % "b",
        },
    )
    assert check(tmp_path) == 0
    assert capsys.readouterr().out.count("not checked[schema]") == 1


def _waiver(rule: str, expires: str, site: str) -> str:
    return f"{{rule: {rule}, reason: a bigger box is ordered, expires: {expires}, sites: [{site}]}}"


def test_waivers_that_are_used_unused_and_expired_are_each_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    waivers = [
        _waiver("memory-budget", "2999-01-01", "market"),
        _waiver("memory-budget", "2999-01-01", "harbour"),
        _waiver("memory-budget", "2020-01-01", "market"),
    ]
    fleet = FILES["fleet.yaml"] + "spec:\n  rules:\n    waivers:\n"
    fleet += "".join(f"      - {waiver}\n" for waiver in waivers)
    root = write_fleet(tmp_path, {**POOR, "fleet.yaml": fleet})

    assert check(root) == 0
    shown = capsys.readouterr().out
    assert "waived[memory-budget]: 1 violation at 1 site until 2999-01-01: a bigger box is ordered" in shown
    assert "warning[waiver-unused]: the waiver of memory-budget for harbour fits no violation" in shown
    assert "fleet.yaml:8:" in shown
    assert "warning[waiver-expired]: the waiver of memory-budget for market ended on 2020-01-01" in shown
    assert "fleet.yaml:9:" in shown

    check(root, "--format", "json")
    [waived] = json.loads(capsys.readouterr().out)["waived"]
    assert (waived["rule"], waived["violations"], waived["sites"]) == ("memory-budget", 1, ["market"])


def test_a_look_at_one_site_does_not_call_a_waiver_unused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    waivers = "spec: {rules: {waivers: [" + _waiver("memory-budget", "2999-01-01", "market") + "]}}\n"
    root = write_fleet(tmp_path, {**POOR, "fleet.yaml": FILES["fleet.yaml"] + waivers})

    assert check(root, "--site", "harbour") == 0
    assert "waiver-unused" not in capsys.readouterr().out
