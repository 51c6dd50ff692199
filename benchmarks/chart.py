"""Throughput against latency as an SVG: one line for the median and one for p99 of each subject."""

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from benchmarks.results import Point

_WIDTH: Final = 760
_HEIGHT: Final = 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 180, 40, 50
_COLOURS: Final = ("#0b6e99", "#c2410c", "#4d7c0f", "#7e22ce")
_TEXT: Final = 'font-family="sans-serif" font-size="12" fill="#555"'


def chart(title: str, points: Sequence[Point]) -> str:
    """Latency is on a logarithmic scale; p99 is a solid line, p50 a dashed one."""
    scale = _Scale(points)
    subjects = list(dict.fromkeys(point.subject for point in points))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        _text(_LEFT, 22, f"{title}: requests per second and milliseconds, all on one machine"),
        *_grid(scale),
    ]
    for number, subject in enumerate(subjects):
        own = sorted((p for p in points if p.subject == subject), key=lambda point: point.rate)
        colour = _COLOURS[number % len(_COLOURS)]
        parts += _lines(scale, own, colour)
        y = _TOP + 20 + 44 * number
        x = _WIDTH - _RIGHT + 20
        parts += [_legend(x, y, colour, f"{subject}, p99"), _legend(x, y + 18, colour, "p50", True)]
    return "\n".join([*parts, "</svg>"]) + "\n"


class _Scale:
    """Converts rates and milliseconds to coordinates."""

    def __init__(self, points: Sequence[Point]) -> None:
        self.max_rate = _rounded_up(max(point.rate for point in points))
        self.low = math.floor(math.log10(min(point.p50_ms for point in points)))
        self.high = math.ceil(math.log10(max(point.p99_ms for point in points)))

    def x(self, rate: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * rate / self.max_rate

    def y(self, ms: float) -> float:
        share = (math.log10(ms) - self.low) / (self.high - self.low)
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share


def _grid(scale: _Scale) -> Iterator[str]:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    for power in range(scale.low, scale.high + 1):
        y = scale.y(10**power)
        yield f'<line x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
        yield _text(_LEFT - 8, y + 4, f"{10**power:g} ms", "end")
    for quarter in range(5):
        rate = scale.max_rate * quarter / 4
        x = scale.x(rate)
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{bottom}" stroke="#eee"/>'
        yield _text(x, bottom + 20, f"{rate:,.0f}/s", "middle")


def _lines(scale: _Scale, points: Sequence[Point], colour: str) -> Iterator[str]:
    for dashed, values in ((False, [p.p99_ms for p in points]), (True, [p.p50_ms for p in points])):
        at = [(scale.x(point.rate), scale.y(ms)) for point, ms in zip(points, values, strict=True)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
        for x, y in at:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'


def _legend(x: float, y: float, colour: str, text: str, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    line = f'<line x1="{x}" x2="{x + 22}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2"'
    return f"{line}{dash}/>" + _text(x + 28, y + 4, text)


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {_TEXT}>{escape(text)}</text>'


def _rounded_up(value: float) -> float:
    """To 1.2, 2, 4, 6, 8 or 12 times a power of ten, which divide well by four."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1.2, 2, 4, 6, 8, 12) if step * power >= value)
