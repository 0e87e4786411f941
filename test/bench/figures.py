# SPDX-License-Identifier: MIT
"""A table of figures, each a median held against a limit or only told, for the benchmarks beside test/bench/run."""
import os
import platform
import statistics


class Figure:
    """of: the samples' name (a list of them: the first over the others); limit None: for information."""

    def __init__(self, title, of, limit=None, unit="", base=None, pick=statistics.median, exact=False):
        self.title, self.of, self.limit, self.unit = title, of, limit, unit
        self.base, self.pick, self.exact = base, pick, exact

    def value(self, samples):
        if self.of not in samples or (self.base and self.base not in samples):
            return None
        value = self.pick(samples[self.of])
        return value / self.pick(samples[self.base]) if self.base else value

    def verdict(self, value):
        if value is None or self.limit is None:
            return "-"
        right = value == self.limit if self.exact else value <= self.limit
        return "PASS" if right else "SHORT"


def number(value):
    if value is None:
        return "-"
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def print_table(figures, samples):
    """True when nothing fell short."""
    lines = [("", "figure", "limit", "", "", "min", "max")]
    for figure in figures:
        value = figure.value(samples)
        spread = samples.get(figure.of, [])
        lines.append((figure.title, number(value), "-" if figure.limit is None else f"{figure.limit:g}", figure.unit,
                      figure.verdict(value), number(min(spread)) if spread else "-",
                      number(max(spread)) if spread else "-"))
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print("  ".join(text.ljust(width) if i in (0, 3, 4) else text.rjust(width)
                        for i, (text, width) in enumerate(zip(line, widths))).rstrip())
    return all(line[4] != "SHORT" for line in lines)


def print_machine():
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"Linux {platform.release()}, {os.cpu_count()} cores, load {load}")
