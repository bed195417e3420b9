"""`wayside admit` and `wayside eval`, as a person or a script uses them."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.cli.main import main
from tests.rules.admission.documents import config_map, deployment
from tests.rules.admission.test_pack import BAD, GOOD, SITE


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    (tmp_path / "policy.yaml").write_bytes(GOOD)
    (tmp_path / "broken.yaml").write_bytes(BAD)
    for name, value in (
        ("site", SITE),
        ("web", deployment(3)),
        ("small", deployment(1)),
        ("map", config_map()),
    ):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(value), encoding="utf-8")
    return tmp_path


@pytest.mark.usefixtures("files")
class TestAdmit:
    def test_says_why_an_object_is_denied(self, capsys: pytest.CaptureFixture[str]) -> None:
        code = main(["admit", "--policy", "policy.yaml", "--object", "web.yaml", "--params", "site.yaml"])
        assert code == 1
        assert capsys.readouterr().out == (
            "denied Deployment/shop/web CREATE\n"
            "  x ValidatingAdmissionPolicy 'few-replicas' with binding 'few-replicas' denied request: "
            "no more replicas than nodes\n"
            "1 denied of 1 object\n"
        )

    def test_lets_through_what_the_policy_lets_through(self, capsys: pytest.CaptureFixture[str]) -> None:
        arguments = ["--policy", "policy.yaml", "--params", "site.yaml"]
        assert main(["admit", *arguments, "--object", "small.yaml", "--object", "map.yaml"]) == 0
        assert capsys.readouterr().out.endswith("ok: 2 objects\n")

    def test_takes_an_old_object(self, capsys: pytest.CaptureFixture[str]) -> None:
        arguments = ["--policy", "policy.yaml", "--params", "site.yaml", "--old", "small.yaml"]
        assert main(["admit", *arguments, "--object", "web.yaml"]) == 1
        assert main(["admit", *arguments]) == 0
        assert [line.split()[-1] for line in capsys.readouterr().out.splitlines() if "web " in line] == [
            "UPDATE",
            "DELETE",
        ]

    def test_writes_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        arguments = ["--policy", "policy.yaml", "--object", "web.yaml", "--format", "json"]
        assert main(["admit", *arguments]) == 1
        shown: dict[str, Any] = json.loads(capsys.readouterr().out)
        (review,) = shown["reviews"]
        assert review["allowed"] is False
        assert "no params found" in review["denials"][0]["message"]

    def test_shows_what_is_wrong_with_a_policy_and_lets_nothing_pass(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["admit", "--policy", "broken.yaml", "--object", "map.yaml"]) == 1
        shown = capsys.readouterr().out
        assert " --> broken.yaml:13:9\n   |\n13 |         nothing == 'c'\n   |         ^^^^" in shown
        assert "denied ConfigMap/shop/settings CREATE" in shown

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            pytest.param(["--policy", "policy.yaml"], "expected --object or --old", id="no object"),
            pytest.param(
                ["--policy", "none.yaml", "--object", "web.yaml"], "cannot read none.yaml", id="no file"
            ),
            pytest.param(
                ["--policy", "map.yaml", "--object", "web.yaml"], "no ValidatingAdm", id="no policy"
            ),
            pytest.param(["--object", "web.yaml"], "--policy", id="no policy asked"),
        ],
    )
    def test_says_what_is_missing(
        self, arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["admit", *arguments]) == 2
        assert expected in capsys.readouterr().err


class TestAFleet:
    @pytest.fixture
    def fleet(self, files: Path) -> Path:
        (files / "fleet.yaml").write_text(
            "apiVersion: wayside.dev/v1alpha1\nkind: Fleet\nmetadata: {name: shops}\n", encoding="utf-8"
        )
        (files / "policies").mkdir()
        (files / "policies" / "few-replicas.yaml").write_bytes(GOOD)
        return files

    def test_has_its_policies_written_for_the_cluster(
        self, fleet: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        lone = GOOD.split(b"---")[0].replace(b"few-replicas", b"lone")
        (fleet / "policies" / "lone.yaml").write_bytes(lone)
        assert main(["export", "policies", "out"]) == 0
        written = {path.name: yaml.safe_load(path.read_text()) for path in (fleet / "out").iterdir()}
        assert set(written) == {
            "sites.wayside.dev.yaml",
            "few-replicas.yaml",
            "few-replicas.binding.yaml",
            "lone.yaml",
            "lone.binding.yaml",
        }
        assert written["few-replicas.yaml"] == yaml.safe_load(GOOD.split(b"---")[0])
        assert written["lone.binding.yaml"]["spec"] == {
            "policyName": "lone",
            "validationActions": ["Deny"],
            "paramRef": {
                "selector": {},
                "parameterNotFoundAction": "Deny",
                "namespace": "wayside-system",
            },
        }
        assert "few-replicas.yaml" in capsys.readouterr().out

    def test_has_no_broken_policy_written(self, fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (fleet / "policies" / "broken.yaml").write_bytes(BAD)
        assert main(["export", "policies", "out"]) == 2
        assert "policies/broken.yaml:" in capsys.readouterr().err
        assert not (fleet / "out").exists()

    def test_has_its_policies_tested(self, fleet: Path, capsys: pytest.CaptureFixture[str]) -> None:
        test = fleet / "policies" / "few-replicas.test.yaml"
        case = {"name": "three are too many for two nodes", "object": deployment(3)}
        document = {
            "apiVersion": "wayside.dev/v1alpha1",
            "kind": "AdmissionTest",
            "metadata": {"name": "few-replicas"},
            "spec": {"params": [SITE], "cases": [{**case, "expect": {"decision": "deny"}}]},
        }
        test.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        assert main(["test"]) == 0
        assert capsys.readouterr().out.startswith("ok few-replicas 1/1 policies/few-replicas.test.yaml")
        test.write_text(test.read_text().replace("decision: deny", "decision: allow"), encoding="utf-8")
        assert main(["test"]) == 1
        assert "expected allow, found deny" in capsys.readouterr().out


@pytest.mark.usefixtures("files")
class TestEval:
    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            pytest.param(["object.spec.replicas > 1", "--object", "web.yaml"], "true\n", id="truth"),
            pytest.param(["object.metadata.name", "--object", "web.yaml"], "web\n", id="text as it is"),
            pytest.param(
                ["object.metadata.name", "--object", "web.yaml", "--format", "json"],
                '"web"\n',
                id="text in JSON",
            ),
            pytest.param(["[1, 2].map(i, i * 2)"], "[\n  2,\n  4\n]\n", id="a list"),
            pytest.param(["duration('90s')"], "90s\n", id="a duration"),
            pytest.param(["timestamp('2026-01-01T00:00:00Z')"], "2026-01-01T00:00:00Z\n", id="a time"),
            pytest.param(["duration('-1000000.25s')"], "-1000000.25s\n", id="a long duration"),
            pytest.param(["quantity('1536Mi')"], "1610612736\n", id="a quantity"),
            pytest.param(["quantity('1500u')"], "0.0015\n", id="a small quantity"),
            pytest.param(["semver('1.2.3-rc.1')"], "1.2.3-rc.1\n", id="a version"),
            pytest.param(["b'\\xff'", "--format", "json"], '"/w=="\n', id="bytes in JSON"),
            pytest.param(["1.0 / 0.0", "--format", "json"], '"Infinity"\n', id="infinity in JSON"),
            pytest.param(["{false: 1}", "--format", "json"], '{"false": 1}\n', id="a key in JSON"),
            pytest.param(["request.kind.kind", "--object", "web.yaml"], "Deployment\n", id="the request"),
            pytest.param(
                [
                    "object.spec.replicas - oldObject.spec.replicas",
                    "--object",
                    "web.yaml",
                    "--old",
                    "small.yaml",
                ],
                "2\n",
                id="an old object",
            ),
            pytest.param(["params.spec.nodes.size()", "--params", "site.yaml"], "2\n", id="a parameter"),
        ],
    )
    def test_prints_the_value(
        self, arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["eval", *arguments]) == 0
        assert capsys.readouterr().out == expected

    def test_shows_where_an_expression_is_wrong(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["eval", "nothing == 1"]) == 1
        assert capsys.readouterr().err == (
            "ERROR: <input>:1:1: undeclared reference to 'nothing' (in container '')\n | nothing == 1\n | ^\n"
        )

    def test_says_why_an_expression_fails(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["eval", "object.nothing", "--object", "web.yaml"]) == 1
        assert capsys.readouterr().err == "error: no such key: nothing\n"

    def test_says_what_only_a_cluster_can_answer(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["eval", "authorizer.path('/').check('get').allowed()"]) == 1
        assert "left to the API server" in capsys.readouterr().err
