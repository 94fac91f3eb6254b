// Small things that every part of the page needs. Values are set as text, never as markup: names
// may hold anything.

export function at<T extends HTMLElement>(query: string): T {
  const found = document.querySelector<T>(query);
  if (found === null) throw new Error(`no ${query}`);
  return found;
}

export function made<K extends keyof HTMLElementTagNameMap>(
  kind: K,
  text = "",
  attributes: Record<string, string> = {},
): HTMLElementTagNameMap[K] {
  const element = document.createElement(kind);
  element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

// 1234567 as "1.23M".
export function short(value: number): string {
  const units = ["", "k", "M", "G", "T"];
  let unit = 0;
  while (Math.abs(value) >= 999.5 && unit + 1 < units.length) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 && Number.isInteger(value) ? 0 : value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)}${units[unit]}`;
}

export function time(us: number | null): string {
  if (us === null) return "–";
  if (us < 1000) return `${us} µs`;
  return us < 1_000_000 ? `${short(us / 1000)} ms` : `${short(us / 1e6)} s`;
}

// One of several, as a row of buttons that arrow keys move in.
export function choice(
  group: HTMLElement,
  entries: { value: string; label: string; note?: string; warning?: boolean }[],
  chosen: string,
  choose: (value: string) => void,
): void {
  const had = group.contains(document.activeElement);
  const buttons = entries.map((entry) => {
    const on = entry.value === chosen;
    const button = made("button", entry.label, {
      type: "button",
      role: "radio",
      "aria-checked": String(on),
      tabindex: on ? "0" : "-1",
    });
    if (entry.warning) button.dataset.warning = "";
    if (entry.note) button.append(made("small", entry.note));
    button.onclick = () => choose(entry.value);
    return button;
  });
  group.replaceChildren(...buttons);
  group.onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const now = entries.findIndex((entry) => entry.value === chosen);
    const next = entries[(now + step + entries.length) % entries.length];
    if (next) choose(next.value);
  };
  if (had) buttons.find((button) => button.tabIndex === 0)?.focus();
}
