"""Objects of every built-in kind that has defaults, each in a plain and in an unusual form.

A cluster-scoped object has `namespace: ""` here, as a mark for the test.
"""

from __future__ import annotations

from typing import Final

_PODS: Final = """
containers:
  - name: plain
    image: nginx
  - name: full
    image: acme/pos:1.2
    resources: {limits: {cpu: "0.5", memory: 1024Mi}, requests: {memory: 0.5Gi}}
    ports: [{containerPort: 80}, {containerPort: 53, protocol: UDP}]
    env:
      - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
      - {name: MEM, valueFrom: {resourceFieldRef: {resource: limits.memory}}}
    livenessProbe: {httpGet: {port: 80}}
    readinessProbe: {grpc: {port: 90}, periodSeconds: 3}
    startupProbe: {exec: {command: ["true"]}, failureThreshold: 9}
    lifecycle: {preStop: {httpGet: {port: 80}}}
initContainers:
  - {name: init, image: "busybox@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}
volumes:
  - {name: none}
  - {name: secret, secret: {secretName: s}}
  - {name: config, configMap: {name: c}}
  - {name: host, hostPath: {path: /dev}}
  - {name: empty, emptyDir: {sizeLimit: 1024Mi}}
  - {name: down, downwardAPI: {items: [{path: n, fieldRef: {fieldPath: metadata.name}}]}}
  - name: all
    projected:
      sources:
        - {serviceAccountToken: {path: t}}
        - {downwardAPI: {items: [{path: n, resourceFieldRef: {resource: limits.cpu, containerName: full}}]}}
  - name: claimed
    ephemeral:
      volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
  - {name: iscsi, iscsi: {targetPortal: "1.2.3.4:3260", iqn: "iqn.2001-04.com.example:a", lun: 0}}
  - {name: image, image: {reference: "acme/data:latest"}}
"""


def _indent(text: str, by: int) -> str:
    return "".join(f"{' ' * by}{line}\n" for line in text.strip().splitlines())


def _workload(kind: str, spec: str = "", *, api: str = "apps/v1", pod: str = _PODS) -> str:
    return (
        f"apiVersion: {api}\nkind: {kind}\nmetadata: {{name: x}}\nspec:\n"
        + _indent(spec, 2)
        + "  selector: {matchLabels: {app: x}}\n"
        + "  template:\n    metadata: {labels: {app: x}}\n    spec:\n"
        + _indent(pod, 6)
    )


def _job(spec: str = "", *, labels: str = "") -> str:
    return (
        f"apiVersion: batch/v1\nkind: Job\nmetadata: {{name: x{labels}}}\nspec:\n"
        + _indent(spec, 2)
        + "  template:\n    metadata: {labels: {app: x}}\n    spec:\n      restartPolicy: Never\n"
        + "      containers: [{name: c, image: acme/pos}]\n"
    )


OBJECTS: Final[dict[str, str]] = {
    "deployment": _workload("Deployment"),
    "deployment-recreate": _workload("Deployment", "replicas: 0\nstrategy: {type: Recreate}"),
    "deployment-surge": _workload("Deployment", "strategy: {rollingUpdate: {maxSurge: 2}}"),
    "deployment-host-network": _workload(
        "Deployment",
        pod="hostNetwork: true\nserviceAccountName: sa\n"
        "containers: [{name: c, image: 'a:latest', ports: [{containerPort: 80, hostPort: 80}]}]",
    ),
    "deployment-pod-level": _workload(
        "Deployment", pod="resources: {limits: {memory: 2048Mi}}\ncontainers: [{name: c, image: a}]"
    ),
    "daemon-set": _workload("DaemonSet"),
    "daemon-set-on-delete": _workload("DaemonSet", "updateStrategy: {type: OnDelete}"),
    "stateful-set": _workload(
        "StatefulSet",
        "serviceName: s\nvolumeClaimTemplates:\n"
        "  - metadata: {name: data}\n"
        "    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1024Mi}}}",
    ),
    "stateful-set-on-delete": _workload("StatefulSet", "serviceName: s\nupdateStrategy: {type: OnDelete}"),
    "stateful-set-partition": _workload(
        "StatefulSet", "serviceName: s\nupdateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 2}}"
    ),
    "replica-set": _workload("ReplicaSet"),
    "replication-controller": """
apiVersion: v1
kind: ReplicationController
metadata: {name: x}
spec:
  template:
    metadata: {labels: {app: x}}
    spec: {containers: [{name: c, image: nginx}]}
""",
    "pod-template": """
apiVersion: v1
kind: PodTemplate
metadata: {name: x}
template:
  metadata: {labels: {app: x}}
  spec: {containers: [{name: c, image: nginx}]}
""",
    "pod": "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec:\n" + _indent(_PODS, 2),
    "pod-host-network": """
apiVersion: v1
kind: Pod
metadata: {name: x}
spec:
  hostNetwork: true
  containers: [{name: c, image: nginx, ports: [{containerPort: 8080}]}]
""",
    "pod-level-resources": """
apiVersion: v1
kind: Pod
metadata: {name: x}
spec:
  resources: {limits: {cpu: "2", memory: 1Gi}}
  initContainers: [{name: i, image: a, resources: {requests: {cpu: 300m}}}]
  containers:
    - {name: c, image: a, resources: {requests: {cpu: 100m}}}
    - {name: d, image: a, resources: {requests: {cpu: 150m}}}
""",
    "job": _job(),
    "job-labelled": _job("backoffLimit: 2", labels=", labels: {own: y}"),
    "job-parallel": _job("parallelism: 3"),
    "job-completions": _job("completions: 3"),
    "job-indexed": _job("completions: 3\ncompletionMode: Indexed\nbackoffLimitPerIndex: 1"),
    "job-failure-policy": _job(
        "podFailurePolicy: {rules: [{action: Ignore, onPodConditions: [{type: DisruptionTarget}]}]}"
    ),
    "cron-job": """
apiVersion: batch/v1
kind: CronJob
metadata: {name: x}
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    spec:
      template: {spec: {restartPolicy: OnFailure, containers: [{name: c, image: a}]}}
""",
    "service": """
apiVersion: v1
kind: Service
metadata: {name: x}
spec: {selector: {app: x}, ports: [{port: 80}, {name: b, port: 81, targetPort: web}]}
""".replace("{port: 80}", "{name: a, port: 80}"),
    "service-node-port": """
apiVersion: v1
kind: Service
metadata: {name: x}
spec: {type: NodePort, sessionAffinity: ClientIP, ports: [{port: 80}]}
""",
    "service-load-balancer": """
apiVersion: v1
kind: Service
metadata: {name: x}
spec: {type: LoadBalancer, ports: [{port: 80, protocol: UDP}]}
""",
    "service-external-name": """
apiVersion: v1
kind: Service
metadata: {name: x}
spec: {type: ExternalName, externalName: a.example.org}
""",
    "secret": "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData: {a: b}\ndata: {c: ZA==}\n",
    "config-map": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n",
    "namespace": "apiVersion: v1\nkind: Namespace\nmetadata: {name: defaults-x, namespace: ''}\n",
    "persistent-volume": """
apiVersion: v1
kind: PersistentVolume
metadata: {name: defaults-x, namespace: ''}
spec: {capacity: {storage: 1024Mi}, accessModes: [ReadWriteOnce], hostPath: {path: /data}}
""",
    "persistent-volume-claim": """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: x}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 2048Mi}}}
""",
    "endpoint-slice": """
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: x}
addressType: IPv4
endpoints: [{addresses: [10.1.2.3]}]
ports: [{port: 80}]
""",
    "limit-range": """
apiVersion: v1
kind: LimitRange
metadata: {name: x}
spec:
  limits:
    - {type: Container, max: {memory: 1024Mi}, min: {cpu: "0.1"}, default: {cpu: 500m}}
    - {type: Pod, max: {cpu: "2"}}
""",
    "resource-quota": """
apiVersion: v1
kind: ResourceQuota
metadata: {name: x}
spec: {hard: {pods: "10", requests.cpu: 1000m}}
""",
    "network-policy": """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: x}
spec: {podSelector: {}, egress: [{ports: [{port: 53}]}]}
""",
    "ingress-class": """
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: defaults-x, namespace: ''}
spec: {controller: acme.dev/x, parameters: {kind: X, name: x}}
""",
    "role-binding": """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: x}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: User, name: u}, {kind: Group, name: g}, {kind: ServiceAccount, name: s, namespace: n}]
""",
    "cluster-role-binding": """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: defaults-x, namespace: ''}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: User, name: u}]
""",
    "storage-class": """
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: defaults-x, namespace: ''}
provisioner: acme.dev/x
""",
    "csi-driver": """
apiVersion: storage.k8s.io/v1
kind: CSIDriver
metadata: {name: defaults.acme.dev, namespace: ''}
spec: {}
""",
    "priority-class": """
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: defaults-x, namespace: ''}
value: 10
""",
    "autoscaler": """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: x}
spec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: x}}
""",
    "autoscaler-behavior": """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: x}
spec:
  maxReplicas: 3
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: x}
  behavior: {scaleUp: {stabilizationWindowSeconds: 30}}
""",
    "admission-policy": """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: defaults-x, namespace: ''}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}]
  validations: [{expression: "true"}]
""",
    "admission-binding": """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: defaults-x, namespace: ''}
spec: {policyName: p, validationActions: [Deny], matchResources: {namespaceSelector: {matchLabels: {a: b}}}}
""",
    "validating-webhook": """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: defaults-x, namespace: ''}
webhooks:
  - name: a.acme.dev
    admissionReviewVersions: [v1]
    sideEffects: None
    clientConfig: {service: {namespace: n, name: s}}
    rules: [{apiGroups: [acme.dev], apiVersions: [v1], operations: [CREATE], resources: [widgets]}]
""",
    "mutating-webhook": """
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: defaults-x, namespace: ''}
webhooks:
  - {name: a.acme.dev, admissionReviewVersions: [v1], sideEffects: None, clientConfig: {url: "https://a.acme.dev/x"}}
""",
    "flow-schema": """
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: FlowSchema
metadata: {name: defaults-x, namespace: ''}
spec: {priorityLevelConfiguration: {name: exempt}}
""",
    "priority-level": """
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: PriorityLevelConfiguration
metadata: {name: defaults-x, namespace: ''}
spec: {type: Limited, limited: {limitResponse: {type: Queue, queuing: {queues: 16}}}}
""",
}
