"""ValidatingAdmissionPolicy, whole: parsed and compiled once, asked about many requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.errors import UsageError
from reconciler.model.resource import Manifest
from reconciler.rules.admission.compiling import CompiledPolicy, Engine, compile_policy
from reconciler.rules.admission.defaulting import defaulted
from reconciler.rules.admission.documents import BINDING_KIND, POLICY_KIND
from reconciler.rules.admission.judgement import judge
from reconciler.rules.admission.kinds import ApiKinds, builtin_kinds
from reconciler.rules.admission.params import Params
from reconciler.rules.admission.parsing import check_kind, parse_binding, parse_policy
from reconciler.rules.admission.problem import InvalidPolicy, Problem
from reconciler.rules.admission.request import AdmissionRequest
from reconciler.rules.admission.review import Review
from reconciler.rules.admission.spec import BindingSpec, PolicySpec, ValidationAction

__all__ = ["KUBERNETES", "AdmissionPolicy"]

#: The version of Kubernetes whose CEL libraries policies may use, where nothing else is said.
KUBERNETES = "1.36"


@dataclass(frozen=True, slots=True)
class AdmissionPolicy:
    """A policy and its bindings, ready to be asked. Make one with `parse`.

    Attributes:
        spec: The policy's fields.
        bindings: The bindings that name it.
        compiled: Its expressions.
        kinds: How kinds are served.
        kubernetes: The version that it was compiled for.
    """

    spec: PolicySpec
    bindings: tuple[BindingSpec, ...]
    compiled: CompiledPolicy
    kinds: ApiKinds
    kubernetes: str

    @classmethod
    def parse(
        cls,
        policy: Manifest,
        bindings: Iterable[Manifest] | None = (),
        *,
        kubernetes: str = KUBERNETES,
        engine: Engine = None,
        kinds: ApiKinds | None = None,
    ) -> AdmissionPolicy:
        """Read and compile a policy.

        Args:
            policy: A ValidatingAdmissionPolicy.
            bindings: ValidatingAdmissionPolicyBindings; those of other policies are checked and passed over.
                Without any, one is assumed that denies, everywhere, with all parameters that are given, so
                that a policy can be tried on its own. In a cluster, a policy without a binding does nothing.
            kubernetes: The version whose CEL libraries it may use.
            engine: The CEL engine; by default the platform's best.
            kinds: How kinds are served; by default the built-in ones.

        Raises:
            InvalidPolicy: The API server would refuse the policy or a binding; has every reason.
        """
        document = check_kind(policy, POLICY_KIND)
        problems: list[Problem] = []
        spec = parse_policy(document, problems)
        try:
            compiled = compile_policy(spec, problems, kubernetes=kubernetes, engine=engine)
        except UsageError as err:
            # No such engine here, or no such version of Kubernetes: then no policy can be used.
            raise InvalidPolicy(f"{POLICY_KIND} {spec.name!r}", [Problem((), err.message, err.hint)]) from err
        documents = list(bindings or ())
        parsed = [
            parse_binding(check_kind(binding, BINDING_KIND, binding=index), index, problems)
            for index, binding in enumerate(documents)
        ]
        if problems:
            raise InvalidPolicy(f"{POLICY_KIND} {spec.name!r}", problems)
        own = tuple(binding for binding in parsed if binding.policy_name == spec.name)
        if not documents:
            own = (BindingSpec("", spec.name, (ValidationAction.DENY,)),)
        return cls(spec, own, compiled, kinds or builtin_kinds(), kubernetes)

    def review(
        self,
        *,
        object: Manifest | None = None,  # noqa: A002 - the field's word
        old_object: Manifest | None = None,
        operation: str | None = None,
        params: Iterable[Manifest] | None = (),
        namespace_object: Manifest | None = None,
        user_info: Mapping[str, Any] | None = None,
        defaults: bool = True,
        **attributes: Any,
    ) -> Review:
        """Say what the policy says of a request.

        Args:
            object: The object as it will be; None for DELETE.
            old_object: The object as it is; None for CREATE.
            operation: CREATE, UPDATE, DELETE or CONNECT; by default what the objects say.
            params: All objects of the parameters' kind; each binding's `paramRef` chooses among them.
            namespace_object: The Namespace of the object; without it only its name is known.
            user_info: Who asks: `username`, `uid`, `groups`, `extra`.
            defaults: Whether objects get the API server's defaults first, as admission sees them.
            attributes: Rarer ones; see `AdmissionRequest.of`.

        Raises:
            RuleError: The arguments describe no request.
        """
        request = AdmissionRequest.of(
            object=defaulted(object, self.kubernetes) if defaults else object,
            old_object=defaulted(old_object, self.kubernetes) if defaults else old_object,
            operation=operation,
            namespace_object=namespace_object,
            user_info=user_info,
            kinds=self.kinds,
            **attributes,
        )
        return self.judge(request, params if params is not None else ())

    def judge(self, request: AdmissionRequest, params: Iterable[Manifest] | Params = ()) -> Review:
        """Say what the policy says of a request that was described before; see `review`.

        Args:
            request: The request.
            params: What may be parameters: any objects, or what `select_params` made of them.

        Raises:
            RuleError: A parameter is no object.
        """
        return judge(
            request,
            lambda: params if isinstance(params, Params) else self.select_params(params),
            spec=self.spec,
            bindings=self.bindings,
            compiled=self.compiled,
        )

    def select_params(self, objects: Iterable[Manifest]) -> Params:
        """Choose the objects that may be the policy's parameters, once for many requests.

        Raises:
            RuleError: Something among them is no object, or is not plain JSON.
        """
        if self.spec.param_kind is None:
            return Params()
        refs = [binding.param_ref for binding in self.bindings if binding.param_ref is not None]
        return Params.among(objects, self.spec.param_kind, refs, self.kinds)
