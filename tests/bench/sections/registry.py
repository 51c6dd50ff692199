"""The sections of a run, in their order."""

from typing import Final

from tests.bench.sections.footprint import footprint
from tests.bench.sections.lists import lists
from tests.bench.sections.projector import projector
from tests.bench.sections.reads import reads
from tests.bench.sections.relay import relay
from tests.bench.sections.scaling import scaling
from tests.bench.sections.section import Section
from tests.bench.sections.visible import visible
from tests.bench.sections.writes import writes

SECTIONS: Final[dict[str, Section]] = {
    "reads": reads,
    "writes": writes,
    "relay": relay,
    "projector": projector,
    "visible": visible,
    "lists": lists,
    "footprint": footprint,
    "scaling": scaling,
}
