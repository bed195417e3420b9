"""What controllers at a site make of an object: one Deployment for each node group, with its overrides.

Rules see what each group gets, and a finding goes back to the field of the object that set it.
"""
