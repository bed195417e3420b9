"""Images are trusted by what their evidence proves, and by nothing else."""

import base64
import datetime
import hashlib
import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from reconciler.fleet.loading import parse_site
from reconciler.images.trust import TrustBook
from reconciler.model.image import ImageReference
from reconciler.model.lock import LockedImage
from reconciler.model.site import Site
from reconciler.model.trust import (
    AttestationDemand,
    CertificateOwner,
    ImageTrust,
    SignatureDemand,
    Signer,
    SigningKey,
    Trust,
    TrustEntry,
)
from tests.cluster.image import push_index
from tests.cluster.process import loopback_environment
from tests.cluster.registry import Registry
from tests.images.signatures.cases import p256
from tests.images.signatures.service import (
    IDENTITY,
    ISSUER,
    NOW,
    Json,
    Options,
    PrivateKey,
    Service,
    b64,
    certificate_pem,
    pem,
    sign,
    statement,
)
from tests.images.signatures.stored import Store, fetch

REPOSITORY = "ghcr.io/acme/pos"
INDEX = json.dumps({"manifests": [{"digest": "sha256:" + "c" * 64}]}).encode()
DIGEST = f"sha256:{hashlib.sha256(INDEX).hexdigest()}"
SIGN = "https://sigstore.dev/cosign/sign/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
DAY = datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def service() -> Service:
    return Service()


def site(name: str = "site-1") -> Site:
    node = {"name": "n", "architecture": "linux/arm64", "allocatable": {"memory": "1Gi"}}
    spec = {"platform": "k3s", "kubernetesVersion": "1.33", "nodes": [node]}
    return parse_site({"metadata": {"name": name}, "spec": spec}, "site.yaml")


def demand(*names: str, **more: Any) -> TrustEntry:
    return TrustEntry(match=("ghcr.io/acme/*",), **({"any_of": names} | more))


def trusting(key: PrivateKey, *entries: TrustEntry, **more: Any) -> Trust:
    signer = Signer("release", keys=(SigningKey("trust/release.pub", pem(key), **more),))
    return Trust(signers={"release": signer}, entries=entries or (demand("release"),))


def locked(*signatures: str) -> LockedImage:
    return LockedImage(REPOSITORY, "1", DIGEST, (), signatures)


def judge(
    trust: Trust,
    store: Store,
    *signatures: str,
    at: datetime.datetime = NOW,
    name: str = "site-1",
    required: bool = False,
    keys: tuple[str, ...] = (),
    reference: str = f"{REPOSITORY}:1@{DIGEST}",
) -> ImageTrust:
    book = TrustBook(trust, store.evidence(), demand=SignatureDemand(required, keys))
    return book.judge_of(site(name), at).judge(ImageReference.parse(reference), locked(*signatures))


def bundled(
    key: PrivateKey, store: Store, *, digest: str = DIGEST, kind: str = SIGN, name: str = "", **more: Any
) -> str:
    payload = json.loads(statement({"sha256": digest[7:]}, predicate_type=kind, **more))
    payload["subject"][0]["name"] = name
    bundle = Service().attest(json.dumps(payload).encode(), Options(log="none", key=key), keyless=False)
    return store.bundle(bundle, DIGEST)


def simple(
    key: PrivateKey,
    store: Store,
    *,
    digest: str = DIGEST,
    repository: str = REPOSITORY,
    kind: str = "cosign container image signature",
    notes: Json | None = None,
    critical: Json | None = None,
) -> str:
    signed = (
        critical
        if critical is not None
        else {
            "identity": {"docker-reference": repository},
            "image": {"docker-manifest-digest": digest},
            "type": kind,
        }
    )
    payload = json.dumps({"critical": signed, "optional": {}}).encode()
    annotations = {"dev.cosignproject.cosign/signature": b64(sign(key, payload)), **(notes or {})}
    layer = {
        "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json",
        "digest": store.add(payload),
        "annotations": annotations,
    }
    return store.manifest([layer])


def test_a_bundle_by_the_key_is_trusted_without_a_repository() -> None:
    key, store = p256(), Store()
    found = judge(trusting(key), store, bundled(key, store))
    assert found == ImageTrust(True, True, ("release",), (), "unbound")


def test_simple_signing_by_the_key_is_trusted_with_its_repository() -> None:
    key, store = p256(), Store()
    found = judge(trusting(key), store, simple(key, store))
    assert found == ImageTrust(True, True, ("release",), (), "bound")


def test_a_repository_is_the_same_however_it_is_written() -> None:
    key, store = p256(), Store()
    entry = TrustEntry(match=("docker.io/*",), any_of=("release",))
    manifest = simple(key, store, repository="index.docker.io/library/nginx")
    image = replace(locked(manifest), name="nginx")
    book = TrustBook(trusting(key, entry), store.evidence())
    found = book.judge_of(site(), NOW).judge(ImageReference.parse(f"nginx:1@{DIGEST}"), image)
    assert (found.signed, found.repository) == (True, "bound")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda _, store: simple(p256(), store), "found one that is not right"),
        (lambda key, store: simple(key, store, digest=f"sha256:{'0' * 64}"), "found one of sha256:0000"),
        (
            lambda key, store: simple(key, store, repository="ghcr.io/else/pos"),
            "found one for ghcr.io/else/pos",
        ),
        (lambda key, store: simple(key, store, kind="something"), "expected the type of a signature"),
        (lambda key, store: simple(key, store, critical={}), "expected the type of a signature"),
        (lambda _, store: bundled(p256(), store), "found a signature that is not right"),
        (lambda key, store: bundled(key, store, digest=f"sha256:{'0' * 64}"), "found one about sha256:0000"),
        (lambda key, store: bundled(key, store, name="ghcr.io/else/pos"), "found one for ghcr.io/else/pos"),
        (lambda key, store: bundled(key, store, kind=PROVENANCE), "it is not signed by release"),
        (
            lambda _, store: store.manifest([{"mediaType": "application/octet-stream", "digest": DIGEST}]),
            "it has no signature",
        ),
        (lambda _, store: store.add(b"no manifest"), "expected a signature's manifest as JSON"),
        (lambda _, store: store.add(b"[]"), "expected a signature's manifest, found something else"),
        (
            lambda _, store: store.manifest([], subject={"digest": f"sha256:{'0' * 64}"}),
            "found one of sha256:0000",
        ),
        (lambda _, store: store.bundle({"mediaType": "x"}, DIGEST), "expected a Sigstore bundle of version"),
        (lambda _, _store: f"sha256:{'e' * 64}", "found no such file"),
        (
            lambda key, store: simple(key, store, notes={"dev.cosignproject.cosign/signature": "?"}),
            "expected a signature",
        ),
        (
            lambda key, store: simple(key, store, notes={"dev.sigstore.cosign/certificate": "?"}),
            "expected a certificate beside",
        ),
        (
            lambda key, store: simple(key, store, notes={"dev.sigstore.cosign/bundle": "?"}),
            "expected a log entry as JSON",
        ),
    ],
    ids=[
        "simple signing by another key",
        "simple signing of another digest",
        "simple signing of another repository",
        "simple signing of another type",
        "simple signing of nothing",
        "a bundle by another key",
        "a bundle of another digest",
        "a bundle of another repository",
        "an attestation alone",
        "no signature",
        "no manifest",
        "a list for a manifest",
        "a manifest about another image",
        "another bundle",
        "no evidence",
        "no base64 for a signature",
        "no certificate",
        "no log entry",
    ],
)
def test_what_is_not_right_is_not_trusted_and_the_reason_is_said(make: Any, said: str) -> None:
    key, store = p256(), Store()
    found = judge(trusting(key), store, make(key, store))
    assert (found.required, found.signed, found.signers) == (True, False, ())
    assert said in "; ".join(found.problems)


def test_altered_evidence_proves_nothing() -> None:
    key, store = p256(), Store()
    manifest = bundled(key, store)
    for path in list(store.files):
        store.files[path] += b" "
    found = judge(trusting(key), store, manifest)
    assert not found.signed
    assert "expected content with the digest" in found.problems[0]


def test_one_right_signature_beside_broken_ones_is_enough() -> None:
    key, store = p256(), Store()
    others = (simple(p256(), store), store.add(b"{}"), store.bundle({}, DIGEST))
    assert judge(trusting(key), store, *others, bundled(key, store)).signed


def test_a_mirrored_image_is_trusted_where_any_repository_is() -> None:
    key, store = p256(), Store()
    manifest = simple(key, store, repository="registry.acme.test/made/pos")
    assert not judge(trusting(key), store, manifest).signed
    found = judge(trusting(key, demand("release", any_repository=True)), store, manifest)
    assert (found.signed, found.repository) == (True, "unbound")


def two(first: PrivateKey, second: PrivateKey, entry: TrustEntry) -> Trust:
    signers = {
        name: Signer(name, keys=(SigningKey(f"trust/{name}.pub", pem(key)),))
        for name, key in (("build", first), ("release", second))
    }
    return Trust(signers=signers, entries=(entry,))


def test_one_of_several_signers_is_enough_where_any_is_asked_for() -> None:
    build, release, store = p256(), p256(), Store()
    trust = two(build, release, demand("build", "release"))
    assert judge(trust, store, bundled(build, store)).signers == ("build",)
    assert judge(trust, store, bundled(release, store)).signed
    assert "not signed by build or release" in judge(trust, store, bundled(p256(), store)).problems[0]


def test_each_of_several_signers_is_needed_where_all_are_asked_for() -> None:
    build, release, store = p256(), p256(), Store()
    trust = two(build, release, demand(all_of=("build", "release")))
    by_build, by_release = bundled(build, store), simple(release, store)
    found = judge(trust, store, by_build)
    assert not found.signed
    assert found.problems[0].startswith("it is not signed by release")
    assert judge(trust, store, by_build, by_release).signers == ("build", "release")


@pytest.mark.parametrize(
    ("window", "right"),
    [
        ({"not_before": NOW - DAY, "not_after": NOW + DAY}, True),
        ({"not_before": NOW, "not_after": NOW}, True),
        ({"not_after": NOW - DAY}, False),
        ({"not_before": NOW + DAY}, False),
    ],
    ids=["in its time", "at its only moment", "expired", "not yet"],
)
def test_a_key_counts_in_its_time_by_the_commit(window: dict[str, Any], right: bool) -> None:
    key, store = p256(), Store()
    found = judge(trusting(key, **window), store, bundled(key, store))
    assert found.signed is right
    if not right:
        assert "and the commit is of 2026-03-01 12:00Z" in found.problems[0]


def test_keys_are_changed_without_a_gap() -> None:
    old, new, store = p256(), p256(), Store()
    keys = (
        SigningKey("trust/old.pub", pem(old), not_after=NOW + DAY),
        SigningKey("trust/new.pub", pem(new), not_before=NOW - DAY),
    )
    trust = Trust(signers={"release": Signer("release", keys=keys)}, entries=(demand("release"),))
    for key, when, right in (
        (old, NOW, True),
        (new, NOW, True),
        (old, NOW + 2 * DAY, False),
        (new, NOW - 2 * DAY, False),
    ):
        assert judge(trust, store, bundled(key, store), at=when).signed is right


def test_the_first_entry_that_fits_counts() -> None:
    key, store = p256(), Store()
    entries = (
        demand(unsigned="the vendor does not sign", sites=("old-*",), any_of=()),
        demand("release"),
        TrustEntry(match=("*",), all_of=("nobody",)),
    )
    trust = trusting(key, *entries)
    assert judge(trust, store, name="old-7").exempt == "the vendor does not sign"
    assert not judge(trust, store, name="old-7").required
    assert judge(trust, store, bundled(key, store), name="new-7").signed
    assert not judge(trust, store, name="new-7").signed


def test_an_image_that_no_entry_is_about_is_not_judged_but_its_signers_are_known() -> None:
    key, store = p256(), Store()
    trust = trusting(key, TrustEntry(match=("quay.io/*",), any_of=("release",)))
    found = judge(trust, store, bundled(key, store))
    assert (found.required, found.signed, found.signers) == (False, True, ("release",))


def test_a_site_can_demand_signatures_whatever_the_fleet_says() -> None:
    key, store = p256(), Store()
    exempt = trusting(key, demand(unsigned="no need", any_of=()))
    for trust in (Trust(), trusting(key, TrustEntry(match=("quay.io/*",), any_of=("release",))), exempt):
        found = judge(trust, store, required=True)
        assert (found.required, found.signed, found.exempt) == (True, False, "")
        assert "this site takes signed images only" in found.problems[0]
    assert judge(exempt, store, bundled(key, store), required=True).signed


def test_the_keys_of_a_site_itself_must_have_signed_whomever_the_fleet_trusts() -> None:
    fleets, own, store = p256(), p256(), Store()
    by_fleet, by_own = bundled(fleets, store), bundled(own, store)
    keys = (pem(p256()).decode(), pem(own).decode())
    for trust in (Trust(), trusting(fleets)):
        found = judge(trust, store, by_fleet, keys=keys)
        assert not found.signed
        assert "this site's installation" in found.problems[0]
    assert judge(Trust(), store, by_own, keys=keys).signed
    assert not judge(trusting(fleets), store, by_own, keys=keys).signed
    assert judge(trusting(fleets), store, by_own, by_fleet, keys=keys).signed


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        (f"{REPOSITORY}:1", "it is pulled by its tag"),
        (f"{REPOSITORY}@sha256:{'d' * 64}", "its digest is not the signed one"),
    ],
    ids=["a tag", "another digest"],
)
def test_what_is_pulled_must_be_what_is_signed(reference: str, said: str) -> None:
    key, store = p256(), Store()
    store.add(INDEX)
    found = judge(trusting(key), store, bundled(key, store), reference=reference)
    assert not found.signed
    assert said in found.problems[0]


def test_an_image_of_a_signed_index_is_signed_by_it() -> None:
    key, store = p256(), Store()
    store.add(INDEX)
    found = judge(trusting(key), store, bundled(key, store), reference=f"{REPOSITORY}@sha256:{'c' * 64}")
    assert found.signed


def test_an_image_that_is_not_locked_is_not_trusted() -> None:
    book = TrustBook(trusting(p256()), Store().evidence())
    found = book.judge_of(site(), NOW).judge(ImageReference.parse(f"{REPOSITORY}:1"), None)
    assert found.problems == ("it is not in images.lock, so nothing is known of its signatures",)


def test_attestations_are_known_by_their_type_and_signer_and_can_be_demanded() -> None:
    key, store = p256(), Store()
    wanted = (AttestationDemand(PROVENANCE, ("release",)),)
    trust = trusting(key, demand("release", attestations=wanted))
    signature = bundled(key, store)
    lacking = judge(trust, store, signature)
    assert lacking.problems == (f"it has no statement {PROVENANCE} by release",)
    by_other = bundled(p256(), store, kind=PROVENANCE)
    assert not judge(trust, store, signature, by_other).signed
    predicate = {"runDetails": {"builder": {"id": "https://builder.acme.test"}}}
    made = bundled(key, store, kind=PROVENANCE, predicate=predicate)
    found = judge(trust, store, signature, made)
    assert found.signed
    assert [(each.predicate_type, each.signer, each.predicate) for each in found.attestations] == [
        (PROVENANCE, "release", predicate)
    ]


def test_certificates_are_trusted_by_owner_and_issuer(service: Service) -> None:
    store = Store()
    bundle = service.attest(statement({"sha256": DIGEST[7:]}, predicate_type=SIGN))
    manifest = store.bundle(bundle, DIGEST)

    def found(owner: CertificateOwner, root: bytes | None = None) -> ImageTrust:
        signer = Signer("ci", owners=(owner,))
        trust = Trust(root or service.root_bytes(), {"ci": signer}, (demand("ci"),))
        return judge(trust, store, manifest)

    assert found(CertificateOwner(IDENTITY, ISSUER)).signed
    assert found(CertificateOwner("https://github.com/acme/.*", "https://.*", True, True)).signed
    assert "found 'https://github.com/acme" in found(CertificateOwner("someone", ISSUER)).problems[0]
    assert "expected the issuer" in found(CertificateOwner(IDENTITY, "https://else.test")).problems[0]
    other = found(CertificateOwner(IDENTITY, ISSUER), Service().root_bytes())
    assert "found one in another log" in other.problems[0]
    broken = found(CertificateOwner(IDENTITY, ISSUER), b"{}")
    assert "the trusted root cannot be used" in broken.problems[0]


def test_the_older_layout_has_certificates_and_log_entries_beside_the_signature(service: Service) -> None:
    store, key = Store(), p256()
    critical = {
        "identity": {"docker-reference": REPOSITORY},
        "image": {"docker-manifest-digest": DIGEST},
        "type": "cosign container image signature",
    }
    payload = json.dumps({"critical": critical, "optional": {}}).encode()
    bundle = service.sign(payload, Options(key=key))
    entry = bundle["verificationMaterial"]["tlogEntries"][0]

    der = base64.b64decode(bundle["verificationMaterial"]["certificate"]["rawBytes"])
    noted = {
        "SignedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
        "Payload": {
            "body": entry["canonicalizedBody"],
            "integratedTime": int(entry["integratedTime"]),
            "logIndex": int(entry["logIndex"]),
            "logID": base64.b64decode(entry["logId"]["keyId"]).hex(),
        },
    }
    annotations = {
        "dev.cosignproject.cosign/signature": bundle["messageSignature"]["signature"],
        "dev.sigstore.cosign/certificate": certificate_pem(x509.load_der_x509_certificate(der)).decode(),
        "dev.sigstore.cosign/bundle": json.dumps(noted),
    }
    kind = "application/vnd.dev.cosign.simplesigning.v1+json"
    layer = {"mediaType": kind, "digest": store.add(payload), "annotations": annotations}
    signer = Signer("ci", owners=(CertificateOwner(IDENTITY, ISSUER),))
    trust = Trust(service.root_bytes(), {"ci": signer}, (demand("ci"),))
    assert judge(trust, store, store.manifest([layer])).repository == "bound"
    noted["Payload"]["integratedTime"] += 1
    annotations["dev.sigstore.cosign/bundle"] = json.dumps(noted)
    assert "the log's promise" in judge(trust, store, store.manifest([layer])).problems[0]


@pytest.mark.slow
@pytest.mark.parametrize("older", [False, True], ids=["new bundles", "the older layout"])
def test_what_the_real_cosign_signs_in_a_real_registry_is_verified(
    older: bool, registry: Registry, cosign: Path, crane: Path, tmp_path: Path
) -> None:
    repository = f"signatures/{'older' if older else 'newer'}"
    image = f"{registry.host}/{repository}"
    digest = push_index(crane, f"{image}:1", ["linux/amd64", "linux/arm64"])
    other = push_index(crane, f"{image}:2", ["linux/amd64"], content=b"another")
    environment = {**loopback_environment(home=tmp_path), "COSIGN_PASSWORD": ""}
    layout = ["--new-bundle-format=false"] if older else []

    def run(*arguments: str) -> None:
        done = subprocess.run(
            [cosign, *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            env=environment,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr

    run("generate-key-pair")
    offline = ["--key", "cosign.key", "--tlog-upload=false", "--yes", *layout]
    run("sign", "--use-signing-config=false", *offline, f"{image}@{digest}")
    (tmp_path / "predicate.json").write_text(
        '{"builder": {"id": "https://builder.acme.test"}, "buildType": "https://acme.test/build"}'
    )
    run("attest", "--use-signing-config=false", *offline, "--type", "slsaprovenance",
        "--predicate", "predicate.json", f"{image}@{digest}")  # fmt: skip

    store = Store()
    entry = fetch(registry.url, repository, "1", store)
    unsigned = fetch(registry.url, repository, "2", store)
    assert (entry.digest, unsigned.digest) == (digest, other)
    key = SigningKey("trust/cosign.pub", (tmp_path / "cosign.pub").read_bytes())
    demands = (AttestationDemand("https://slsa.dev/provenance/v0.2", ("release",)),)
    entries = (TrustEntry(match=(f"{registry.host}/*",), any_of=("release",), attestations=demands),)
    book = TrustBook(Trust(signers={"release": Signer("release", (key,))}, entries=entries), store.evidence())
    judged = book.judge_of(site(), NOW)
    found = judged.judge(ImageReference.parse(f"{image}:1@{digest}"), entry)
    assert found.problems == ()
    assert (found.signed, found.signers) == (True, ("release",))
    assert found.repository == ("bound" if older else "unbound")
    assert [each.predicate["builder"]["id"] for each in found.attestations] == ["https://builder.acme.test"]
    bare = judged.judge(ImageReference.parse(f"{image}:2@{other}"), unsigned)
    assert not bare.signed
    moved = judged.judge(
        ImageReference.parse(f"{image}:2@{other}"), replace(unsigned, signatures=entry.signatures)
    )
    assert not moved.signed
    assert "found one" in moved.problems[0]
