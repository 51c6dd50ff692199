"""The table, the chart and the profile contain the measurements."""

from xml.etree import ElementTree

from benchmarks.chart import chart
from benchmarks.load.job import percentile
from benchmarks.profiler import top_functions
from benchmarks.results import Point, Row
from benchmarks.table import markdown, plain_text


def test_a_row_shows_whether_its_goal_is_met() -> None:
    rows = [
        Row("reads", "10/s", "limit 12/s", "0.83×", "≥ 0.75×", True),
        Row("writes", "1/s", "limit 2/s", "0.50×", "≥ 2×", False),
        Row("a remark", "7 MB"),
    ]
    lines = plain_text(rows).splitlines()
    assert [line.split()[-1] for line in lines] == ["met", "yes", "NO", "MB"]
    assert markdown(rows).count("\n") == 4


def test_a_percentile_is_a_measured_value() -> None:
    values = [float(n) for n in range(1, 101)]
    assert percentile(values, 0.5) == 51
    assert percentile(values, 0.99) == 100


def test_the_chart_has_two_lines_for_each_subject_inside_its_frame() -> None:
    points = [
        Point("GET", subject, rate, 0.4, 9.0 * rate / 1000)
        for subject in ("Tandem", "other")
        for rate in (1000.0, 4000.0)
    ]
    root = ElementTree.fromstring(chart("GET", points))
    lines = [element for element in root if element.tag.endswith("polyline")]
    assert len(lines) == 4
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    for line in lines:
        for place in line.attrib["points"].split():
            x, y = map(float, place.split(","))
            assert 0 < x < width
            assert 0 < y < height


def test_a_profile_sums_self_time_without_idle_threads() -> None:
    stacks = (
        "main (a.py:1);work (/usr/lib/python3.11/asyncio/events.py:80) 3\n"
        "main (a.py:1);work (/usr/lib/python3.11/asyncio/events.py:99) 3\n"
        "main (a.py:1) 2\n"
        "thread;_worker (concurrent/futures/thread.py:83) 90\n"
    )
    assert top_functions(stacks) == [(0.75, "work (asyncio/events.py)"), (0.25, "main (a.py)")]
