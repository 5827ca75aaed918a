"""Plots as SVG text, readable on a light and on a dark page."""

from collections.abc import Sequence
from html import escape

import numpy as np

from penchant.evaluation.fit_report import ProbabilityReport
from penchant.models.base import FeatureEffects

_SIDE, _LEFT, _TOP, _BOTTOM = 240, 62, 44, 46
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #333 }
.title { font-weight: 600 }
.frame { fill: none; stroke: #999 }
.grid { stroke: #ddd }
.ideal { stroke: #888; stroke-dasharray: 4 4 }
.interval { stroke: #0b6e4f; stroke-width: 2 }
.dot { fill: #0b6e4f }
.page { fill: #fff }
@media (prefers-color-scheme: dark) {
  text { fill: #ddd }
  .frame { stroke: #777 }
  .grid { stroke: #3a3a3a }
  .interval { stroke: #5fd3a7 }
  .dot { fill: #5fd3a7 }
  .page { fill: #181818 }
}
"""


def reliability(rows: Sequence[ProbabilityReport], *, alone: bool = True) -> str:
    """What was said against what happened, a panel for each behavior.

    Each dot is a bin of equal mass with the 95 % interval of its share (Wilson 1927); both axes
    are logarithmic, and a bin where nothing happened stands on the lower edge. ``alone`` brings
    its own colors; else the page that it stands on has them.
    """
    width = (_LEFT + _SIDE + 20) * max(1, len(rows))
    height = _TOP + _SIDE + _BOTTOM
    panels = [_panel(row, place * (_LEFT + _SIDE + 20)) for place, row in enumerate(rows)]
    title = "Reliability of probabilities, by behavior"
    return _whole(title, width, height, "".join(panels), alone)


def weights_plot(found: FeatureEffects, *, alone: bool = True) -> str:
    """The weight of each part of a fusion by the length of histories.

    A bar is the weight times the part's deviation among candidates; all have one scale. ``alone``
    is that of ``reliability``.
    """
    names, lengths = found.features, found.lengths
    effects = np.array(found.effects)  # (lengths, features)
    step, bar, left, top = 66, 13, 12, 64
    group = len(lengths) * bar + 32
    height = top + len(names) * group
    width = left + step + _SIDE + 46
    least, most = float(effects.min(initial=0)), float(effects.max(initial=0))
    scale = _SIDE / max(most - least, 1e-9)
    zero = left + step - least * scale
    parts = [
        '<text class="title" x="12" y="20">The weight of each part</text>'
        '<text x="12" y="38">weight times deviation among candidates,</text>'
        '<text x="12" y="53">by events of the history</text>'
    ]
    for place, name in enumerate(names):
        y = top + place * group + 15
        parts.append(f'<text class="title" x="12" y="{y - 4}">{escape(str(name))}</text>')
        for row, length in enumerate(lengths):
            effect, at = float(effects[row, place]), y + row * bar
            x, size = zero + min(effect, 0) * scale, abs(effect) * scale
            end = max(x + size, zero) + 5
            parts += [
                f'<text x="{left + step - 6}" y="{at + 11}" text-anchor="end">{length}</text>',
                f'<rect class="dot" x="{x:.1f}" y="{at + 2}" width="{size:.1f}" '
                f'height="{bar - 4}"/>',
                f'<text x="{end:.1f}" y="{at + 11}">{effect:+.2f}</text>',
            ]
    parts.append(f'<path class="frame" d="M{zero:.1f} {top}V{height - 18}"/>')
    return _whole("The weight of each part of a fusion", width, height, "".join(parts), alone)


def wilson(share: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """The interval of a share of ``count`` (Wilson 1927).

    >>> [round(bound, 3) for bound in wilson(0.5, 100)]
    [0.404, 0.596]
    """
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count)
    half *= float(np.sqrt(share * (1 - share) / count + z * z / (4 * count * count)))
    return max(0.0, middle - half), min(1.0, middle + half)


def _whole(title: str, width: float, height: float, body: str, alone: bool) -> str:
    own = f'<style>{_STYLE}</style><rect class="page" width="{width}" height="{height}"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img"><title>{escape(title)}</title>'
        f"{own if alone else ''}{body}</svg>\n"
    )


def _panel(row: ProbabilityReport, left: int) -> str:
    bins = [(b.predicted, b.observed, *wilson(b.observed, b.pairs)) for b in row.reliability]
    positive = [value for b in bins for value in b if value > 0] or [0.1]
    low = 10 ** np.floor(np.log10(min(positive)))
    high = max(10 ** np.ceil(np.log10(max(positive))), 10 * low)

    def share(value: float) -> float:
        place = np.log(max(value, low) / low) / np.log(high / low)
        return float(min(1.0, max(0.0, place)))

    def x(value: float) -> float:
        return round(left + _LEFT + _SIDE * share(value), 1)

    def y(value: float) -> float:
        return round(_TOP + _SIDE * (1 - share(value)), 1)

    edge, floor = left + _LEFT, _TOP + _SIDE
    parts = [
        f'<text class="title" x="{edge}" y="18">{escape(str(row.behavior))}</text>',
        f'<text x="{edge}" y="34">calibration error {row.ece:.4f}, skill '
        f"{row.skill_over_base_rate.value:.3f}</text>",
    ]
    for power in range(round(np.log10(low)), round(np.log10(high)) + 1):
        at = 10.0**power
        name = f"{at:.0%}" if power >= -2 else f"{at:.{-power - 2}%}"
        parts += [
            f'<path class="grid" d="M{x(at)} {_TOP}V{floor}M{edge} {y(at)}H{edge + _SIDE}"/>',
            f'<text x="{x(at)}" y="{floor + 16}" text-anchor="middle">{name}</text>',
            f'<text x="{edge - 6}" y="{y(at) + 4}" text-anchor="end">{name}</text>',
        ]
    parts += [
        f'<rect class="frame" x="{edge}" y="{_TOP}" width="{_SIDE}" height="{_SIDE}"/>',
        f'<path class="ideal" d="M{edge} {floor}L{edge + _SIDE} {_TOP}"/>',
        f'<text x="{edge + _SIDE / 2}" y="{floor + 36}" text-anchor="middle">predicted</text>',
        f'<text transform="translate({left + 12} {_TOP + _SIDE / 2}) rotate(-90)" '
        'text-anchor="middle">observed</text>',
    ]
    for said, happened, least, most in bins:
        parts += [
            f'<path class="interval" d="M{x(said)} {y(least)}V{y(most)}"/>',
            f'<circle class="dot" cx="{x(said)}" cy="{y(happened)}" r="4"/>',
        ]
    return "".join(parts)
