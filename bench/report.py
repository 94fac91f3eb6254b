"""How figures are written: rates, tables, and each bar as 'met' or by how much not."""

from measure import median, spread


def rate(value):
    """12345.6 as '12.3k'."""
    if value >= 1e6:
        return f"{value / 1e6:.2f}M"
    return f"{value / 1e3:.1f}k" if value < 1e5 else f"{value / 1e3:.0f}k"


def shown(values):
    """Requests per second, the median of several runs and how far apart they are."""
    if len(values) == 1:
        return rate(values[0])
    return f"{rate(median(values))} ±{spread(values) * 50:.0f}%"


def ms(values):
    """Milliseconds, the same way."""
    text = f"{median(values):.3g}"
    return text if len(values) == 1 else f"{text} ({min(values):.3g} to {max(values):.3g})"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


def figures(results, name, key="rps"):
    return [result[key] for result in results[name]]


class Section:
    """What one scenario has found out."""

    def __init__(self, name, title):
        self.name, self.title = name, title
        self.parts = []
        self.bars = []  # (name, what, figure, bar, met)

    def add(self, text):
        self.parts.append(text)

    def table(self, head, rows):
        self.parts.append(table(head, rows))

    def bar(self, what, figure, bar, met):
        self.bars.append((self.name, what, figure, bar, "met" if met else "not met"))

    def ratio(self, what, ours, peers, bar):
        """Medians; at least `bar` times the peer."""
        value = median(ours) / median(peers)
        self.bar(what, f"{value:.2f}x", f"at least {bar}x", value >= bar)

    def at_most(self, what, value, bar, unit=""):
        self.bar(what, f"{value:.3g}{unit}", f"at most {bar:g}{unit}", value <= bar)

    def at_least(self, what, value, bar, unit=""):
        self.bar(what, f"{value:.3g}{unit}", f"at least {bar:g}{unit}", value >= bar)

    def figure(self, what, figure):
        """No bar, but asked for."""
        self.bars.append((self.name, what, figure, "", "a figure"))

    def text(self):
        found = [f"- {what}: {figure}" + (f" ({bar}: {met})" if bar else "")
                 for _, what, figure, bar, met in self.bars]
        parts = [f"## {self.name}: {self.title}", *self.parts]
        return "\n\n".join(parts + (["\n".join(found)] if found else [])) + "\n"


def summary(sections):
    return table(["", "bar", "figure", "asked", ""],
                 [row for section in sections for row in section.bars])
