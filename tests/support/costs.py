"""Cost curves to plan with."""

from ptp_core.decoding.costs import CostCurve

FLAT = CostCurve((1, 64), (10.0, 10.5))
