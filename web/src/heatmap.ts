// The heat map: time from left to right, tokens from top to bottom, a colour for writes a second.
import type { Heatmap, Shard } from "./api";
import { at, made, short } from "./page";

// From cold to hot, even in lightness, so that it reads without seeing colours: dark ground and
// light ground each have their own, and the hottest stands out most in both.
const LIGHT = "f1f0ec d7e3f4 a9c8ec 6fa3df 3f7ac6 3a4fa3 5b2a86 7d1145".split(" ");
const DARK = "20201e 1d2c44 1f4470 2a669e 4a8fb8 8bb98f e6c65b fff3b0".split(" ");

const canvas = at<HTMLCanvasElement>("#heatmap canvas");
const tip = at("#tip");
const dark = matchMedia("(prefers-color-scheme: dark)");

const STEPS_LEAST = 30; // that are drawn, however young the node is

let shown: Heatmap | null = null;
let owners: Shard[] = [];
let cell = { x: 0, y: 0 }; // that the pointer or the keys are at

function colours(): [number, number, number][] {
  return (dark.matches ? DARK : LIGHT).map((hex) => [
    parseInt(hex.slice(0, 2), 16),
    parseInt(hex.slice(2, 4), 16),
    parseInt(hex.slice(4, 6), 16),
  ]);
}

// The colour of a share of the greatest, on a logarithmic scale of three decades.
function mixed(table: [number, number, number][], value: number, most: number) {
  const share = value <= 0 ? 0 : Math.max(0.08, 1 + Math.log10(value / most) / 3);
  const place = share * (table.length - 1);
  const low = table[Math.floor(place)] ?? [0, 0, 0];
  const high = table[Math.min(table.length - 1, Math.ceil(place))] ?? low;
  return low.map((part, i) => part + ((high[i] ?? 0) - part) * (place % 1));
}

function most(map: Heatmap): number {
  let found = 0;
  for (const row of map.writes_per_second) {
    for (const value of row) if (value !== null && value > found) found = value;
  }
  return found;
}

function paint(map: Heatmap): void {
  const table = colours();
  const greatest = most(map);
  const rows = map.writes_per_second.length;
  canvas.width = Math.max(1, map.steps);
  canvas.height = Math.max(1, rows);
  const context = canvas.getContext("2d");
  if (!context) return;
  const image = context.createImageData(canvas.width, canvas.height);
  map.writes_per_second.forEach((row, y) => {
    row.forEach((value, x) => {
      const to = 4 * (y * canvas.width + x);
      if (value === null) return; // not known: the ground shows
      const [red, green, blue] = mixed(table, value, greatest);
      image.data.set([red ?? 0, green ?? 0, blue ?? 0, 255], to);
    });
  });
  context.putImageData(image, 0, 0);
  const stops = table.map((part) => `rgb(${part.join(" ")})`).join(",");
  const bar = made("i", "", { class: "scale" });
  bar.style.background = `linear-gradient(90deg, ${stops})`;
  at("#legend").replaceChildren(
    made("span", "0"),
    bar,
    made("span", `${short(greatest)} writes/s in ${map.step_s / 60} min and bucket`),
  );
}

// The row of a token: the last bucket that begins at or before it.
function rowOf(map: Heatmap, token: string): number {
  let row = map.begins.findIndex((begin) => begin > token);
  if (row < 0) row = map.begins.length;
  return row - 1;
}

function shardOf(token: string): Shard | undefined {
  return owners.find(
    (shard) => shard.begin <= token && (shard.end === "" || token < shard.end),
  );
}

// Where each shard begins, beside the rows; of many, those that have room.
function mark(map: Heatmap, hottest: number | null): void {
  const rows = map.begins.length;
  let last = -1;
  const marks = owners.flatMap((shard) => {
    const top = (100 * rowOf(map, shard.begin)) / rows;
    const hot = shard.shard === hottest;
    if (last >= 0 && top - last < 5 && !hot) return [];
    last = top;
    const item = made("li", `${hot ? "▲ " : ""}${shard.shard}`);
    item.style.top = `${top}%`;
    if (hot) item.dataset.hot = "";
    return [item];
  });
  at("#marks").replaceChildren(...marks);
}

function clock(seconds: number, days: boolean): string {
  const date = new Date(1000 * seconds);
  const hours = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return days ? `${date.toLocaleDateString()} ${hours}` : hours;
}

function describe(map: Heatmap, hottest: number | null): string {
  if (map.steps === 0) return "Nothing was written to this keyspace yet.";
  const days = map.step_s > 60;
  const to = map.from + map.steps * map.step_s;
  const text =
    `${map.begins.length} stretches of tokens, ${clock(map.from, days)} to ${clock(to, days)}; ` +
    "shards begin where their numbers stand.";
  return hottest === null ? text : `${text} Shard ${hottest} is the hottest now.`;
}

// Without the time before anything is known, so that a young node's map fills the page.
function known(map: Heatmap): Heatmap {
  const first = map.writes_per_second.reduce((least, row) => {
    const at = row.findIndex((value) => value !== null);
    return at < 0 ? least : Math.min(least, at);
  }, map.steps);
  const skip = Math.max(0, Math.min(first, map.steps - STEPS_LEAST));
  return {
    ...map,
    from: map.from + skip * map.step_s,
    steps: map.steps - skip,
    writes_per_second: map.writes_per_second.map((row) => row.slice(skip)),
  };
}

export function show(all: Heatmap, shards: Shard[], hottest: number | null): void {
  const map = known(all);
  shown = map;
  owners = shards;
  paint(map);
  mark(map, hottest);
  at("#heat-text").textContent = describe(map, hottest);
  canvas.setAttribute("aria-label", `Heat of keyspace ${map.keyspace}`);
}

// What one cell of the map says, beside it.
function tell(map: Heatmap, x: number, y: number): void {
  const value = map.writes_per_second[y]?.[x];
  const begin = map.begins[y] ?? "";
  const rate = value === null || value === undefined ? "not known" : `${short(value)} writes/s`;
  tip.textContent =
    `${clock(map.from + x * map.step_s, map.step_s > 60)} · ${rate}\n` +
    `tokens from ${begin.slice(0, 24) || "the lowest"} · shard ${shardOf(begin)?.shard ?? "?"}`;
  tip.hidden = false;
  const left = ((x + 1) / map.steps) * canvas.clientWidth + 12;
  const top = ((y + 1) / map.begins.length) * canvas.clientHeight + 12;
  const most = canvas.clientWidth - tip.offsetWidth;
  tip.style.transform = `translate(${Math.min(left, most)}px, ${top}px)`;
}

function point(event: PointerEvent): void {
  if (!shown || shown.steps === 0) return;
  const box = canvas.getBoundingClientRect();
  const share = (place: number, length: number) => Math.min(0.9999, Math.max(0, place / length));
  cell = {
    x: Math.floor(share(event.clientX - box.left, box.width) * shown.steps),
    y: Math.floor(share(event.clientY - box.top, box.height) * shown.begins.length),
  };
  tell(shown, cell.x, cell.y);
}

// Arrow keys go from cell to cell, Home and End to the first and the last step.
function step(event: KeyboardEvent): void {
  if (!shown || shown.steps === 0) return;
  const ways: Record<string, [number, number]> = {
    ArrowLeft: [-1, 0],
    ArrowRight: [1, 0],
    ArrowUp: [0, -1],
    ArrowDown: [0, 1],
    Home: [-shown.steps, 0],
    End: [shown.steps, 0],
  };
  const way = ways[event.key];
  if (event.key === "Escape") tip.hidden = true;
  if (way === undefined) return;
  event.preventDefault();
  const within = (place: number, length: number) => Math.min(length - 1, Math.max(0, place));
  cell = {
    x: within(cell.x + way[0], shown.steps),
    y: within(cell.y + way[1], shown.begins.length),
  };
  tell(shown, cell.x, cell.y);
}

canvas.addEventListener("pointermove", point);
canvas.addEventListener("pointerleave", () => (tip.hidden = true));
canvas.addEventListener("keydown", step);
canvas.addEventListener("blur", () => (tip.hidden = true));
dark.addEventListener("change", () => shown && paint(shown));
