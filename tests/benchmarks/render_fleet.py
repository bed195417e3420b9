"""A fleet for benchmarks: overlays over shared bases of 26 resources each."""

from __future__ import annotations

from pathlib import Path

#: Workloads of a base, and the resources that go with each: deployment, service, config, account.
WORKLOADS = 5

_WORKLOAD = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-{n}
  labels: {{app: app-{n}}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: app-{n}}}}}
  template:
    metadata:
      labels: {{app: app-{n}}}
      annotations: {{prometheus.io/scrape: "true", prometheus.io/port: "9090"}}
    spec:
      serviceAccountName: app-{n}
      securityContext: {{runAsNonRoot: true, runAsUser: 65532}}
      containers:
      - name: app
        image: registry.example.com/team/app-{n}:1.4.2
        args: ["--listen=:8080", "--log-level=info"]
        ports:
        - {{name: http, containerPort: 8080}}
        - {{name: metrics, containerPort: 9090}}
        env:
        - {{name: MODE, value: edge}}
        - name: POD
          valueFrom: {{fieldRef: {{fieldPath: metadata.name}}}}
        envFrom:
        - configMapRef: {{name: settings}}
        resources:
          requests: {{cpu: 50m, memory: 64Mi}}
          limits: {{memory: 128Mi}}
        readinessProbe:
          httpGet: {{path: /healthz, port: http}}
          periodSeconds: 10
        volumeMounts:
        - {{name: data, mountPath: /data}}
        - {{name: config, mountPath: /etc/app, readOnly: true}}
      volumes:
      - name: data
        persistentVolumeClaim: {{claimName: data-{n}}}
      - name: config
        configMap: {{name: files-{n}}}
---
apiVersion: v1
kind: Service
metadata: {{name: app-{n}}}
spec:
  selector: {{app: app-{n}}}
  ports: [{{name: http, port: 80, targetPort: http}}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: app-{n}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: data-{n}}}
spec:
  accessModes: [ReadWriteOnce]
  resources: {{requests: {{storage: 1Gi}}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: files-{n}}}
data:
  app.yaml: |
    listen: 0.0.0.0:8080
    store: /data
    limits:
      requests: 100
"""


def write_fleet(root: Path, *, sites: int, bases: int = 3) -> list[str]:
    """Write a fleet below `root`, and return the directories of its overlays."""
    for base in range(bases):
        folder = root / f"bases/base-{base}"
        folder.mkdir(parents=True)
        (folder / "kustomization.yaml").write_text(
            "resources: [workloads.yaml]\n"
            "labels:\n- pairs: {app.kubernetes.io/part-of: edge}\n  includeTemplates: true\n"
            "configMapGenerator:\n- name: settings\n  literals: [LEVEL=info, REGION=none]\n"
        )
        text = "---\n".join(_WORKLOAD.format(n=number) for number in range(WORKLOADS))
        (folder / "workloads.yaml").write_text(text)
    overlays = []
    for site in range(sites):
        folder = root / f"sites/site-{site:05d}"
        folder.mkdir(parents=True)
        (folder / "kustomization.yaml").write_text(
            f"resources: [../../bases/base-{site % bases}]\n"
            "namespace: edge\n"
            f"labels:\n- pairs: {{site: site-{site:05d}}}\n"
            "patches:\n- path: patch.yaml\n"
            f"configMapGenerator:\n- name: settings\n  behavior: merge\n  literals: [REGION=r{site % 7}]\n"
            f"images:\n- name: registry.example.com/team/app-0\n  newTag: 1.5.{site % 9}\n"
        )
        (folder / "patch.yaml").write_text(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app-1}\n"
            f"spec: {{replicas: {site % 3 + 1}, template: {{spec: {{containers: [{{name: app, "
            f"resources: {{limits: {{memory: {128 + site % 5}Mi}}}}}}]}}}}}}\n"
        )
        overlays.append(f"sites/site-{site:05d}")
    return overlays
