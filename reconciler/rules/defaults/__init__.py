"""What the API server adds to an object before admission sees it.

Rules see what admission sees: `object.spec.replicas <= 5` must not fail for want of a field. This package
follows the defaulting functions of k8s.io/kubernetes (`pkg/apis/*/v1/defaults.go`) and their declarative
`+default` markers. What a cluster allocates (cluster IPs, uids, times) is not added: it is not known here.
"""

from reconciler.rules.defaults.defaulter import Defaulter

__all__ = ["Defaulter"]
