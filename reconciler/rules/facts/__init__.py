"""What rules know: plain numbers, strings and lists, computed from manifests and site facts.

Every function here is pure, and the facts of one workload depend on nothing but its own manifest,
the nodes, and the few objects that admission mixes in (LimitRanges, RuntimeClasses, autoscalers). So equal
work is done once for all sites.

Units: CPU is in thousandths of a core, everything else in the base unit (bytes, pieces); all are whole
numbers, rounded up, as the scheduler counts.
"""
