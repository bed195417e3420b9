"""Manifests as people write them: what benchmarks and tests read."""

_APPLICATION = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-@
  labels:
    app.kubernetes.io/name: app-@
    tier: edge
spec:
  replicas: 2
  selector:
    matchLabels:
      app.kubernetes.io/name: app-@
  template:
    metadata:
      labels:
        app.kubernetes.io/name: app-@
      annotations:
        prometheus.io/scrape: "true"
    spec:
      serviceAccountName: app-@
      securityContext:
        runAsNonRoot: true
        runAsUser: 1000
      containers:
        - name: main   # the app
          image: ghcr.io/acme/app-@:1.2.@
          args:
            - --listen=:8080
            - "--log-level=info"
          ports:
            - name: http
              containerPort: 8080
              protocol: TCP
          env:
            - name: POD_NAME
              valueFrom:
                fieldRef:
                  fieldPath: metadata.name
            - name: MODE
              value: 'edge'
          resources:
            requests: {cpu: 100m, memory: 64Mi}
            limits:
              memory: 128Mi
          readinessProbe:
            httpGet:
              path: /healthz
              port: http
            periodSeconds: 10
          volumeMounts:
            - name: config
              mountPath: /etc/app
      volumes:
        - name: config
          configMap:
            name: app-@
---
apiVersion: v1
kind: Service
metadata:
  name: app-@
spec:
  selector:
    app.kubernetes.io/name: app-@
  ports:
    - name: http
      port: 80
      targetPort: http
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: app-@
data:
  app.conf: |
    listen = 8080
    name = app-@

    [log]
    level = info
  MODE: edge
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: app-@
"""


def manifests(count: int) -> bytes:
    """Return the manifests of `count` applications, four documents each."""
    return "---\n".join(_APPLICATION.replace("@", str(number)) for number in range(count)).encode()


#: A site's worth: 28 resources, 600 lines.
MANIFESTS = manifests(7)
