"""The sections of a run, in their order."""

from typing import Final

from benchmarks.sections.footprint import footprint
from benchmarks.sections.lists import lists
from benchmarks.sections.projector import projector
from benchmarks.sections.reads import reads
from benchmarks.sections.relay import relay
from benchmarks.sections.scaling import scaling
from benchmarks.sections.section import Section
from benchmarks.sections.visibility import visibility
from benchmarks.sections.writes import writes

SECTIONS: Final[dict[str, Section]] = {
    "reads": reads,
    "writes": writes,
    "relay": relay,
    "projector": projector,
    "visibility": visibility,
    "lists": lists,
    "footprint": footprint,
    "scaling": scaling,
}
