"""The rule engine: CEL, admission policies, site policies and the facts they see."""
