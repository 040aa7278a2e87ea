"""Wrong backward passes as people write them: plain modules, and the slips made in them."""

from . import slips
from .table import FUNCTIONS, LONG, Function, Slip, changed_lines, load, trials

__all__ = ["FUNCTIONS", "LONG", "Function", "Slip", "changed_lines", "load", "slips", "trials"]
