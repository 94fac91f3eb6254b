// Writes a second of the hottest shards, as long as the page is open.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Shard } from "./api";
import { at, short } from "./page";

const LINES = 4;
const POINTS_MOST = 900;
const HEIGHT = 240;

const host = at("#live");
const dark = matchMedia("(prefers-color-scheme: dark)");
const times: number[] = [];
let rates = new Map<number, (number | null)[]>();
let drawn: { plot: uPlot; names: string } | null = null;

function style(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name);
}

function plotOf(names: number[]): uPlot {
  const axis = { stroke: style("--quiet"), grid: { stroke: style("--line"), width: 1 } };
  const options: uPlot.Options = {
    width: host.clientWidth || 480,
    height: HEIGHT,
    cursor: { y: false },
    legend: { live: true },
    scales: { y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] } },
    axes: [axis, { ...axis, size: 56, values: (_, ticks) => ticks.map((tick) => short(tick)) }],
    series: [
      { label: "time" },
      ...names.map((shard, i) => ({
        label: `shard ${shard}`,
        stroke: style(`--c${i}`),
        width: 2,
        value: (_: uPlot, value: number | null) => (value === null ? "–" : short(value)),
      })),
    ],
  };
  return new uPlot(options, [times, ...names.map(() => [])], host);
}

// The hottest of the shards over what is remembered.
function hottest(): number[] {
  const total = (values: (number | null)[]) => values.reduce<number>((sum, v) => sum + (v ?? 0), 0);
  return [...rates.keys()]
    .sort((a, b) => total(rates.get(b) ?? []) - total(rates.get(a) ?? []) || a - b)
    .slice(0, LINES)
    .sort((a, b) => a - b);
}

export function forget(): void {
  times.length = 0;
  rates = new Map();
}

export function add(now_s: number, shards: Shard[]): void {
  times.push(now_s);
  for (const shard of shards) {
    const values = rates.get(shard.shard) ?? new Array<number | null>(times.length - 1).fill(null);
    values.push(shard.writes_per_second);
    rates.set(shard.shard, values);
  }
  for (const values of rates.values()) if (values.length < times.length) values.push(null);
  if (times.length > POINTS_MOST) {
    times.shift();
    for (const values of rates.values()) values.shift();
  }
  const names = hottest();
  if (drawn?.names !== names.join()) {
    drawn?.plot.destroy();
    drawn = { plot: plotOf(names), names: names.join() };
  }
  drawn.plot.setData([times, ...names.map((shard) => rates.get(shard) ?? [])]);
}

function redraw(): void {
  drawn?.plot.destroy();
  drawn = null;
}
dark.addEventListener("change", redraw);
new ResizeObserver(() => {
  drawn?.plot.setSize({ width: host.clientWidth, height: HEIGHT });
}).observe(host);
