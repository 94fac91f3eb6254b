// The tables: shards with their load, and the hot keys.
import type { HotKey, Job, Shard } from "./api";
import { at, made, short, time } from "./page";

interface Column<Row> {
  title: string;
  cell: (row: Row) => string | HTMLElement;
  number?: boolean;
}

function fill<Row>(
  table: HTMLTableElement,
  columns: Column<Row>[],
  rows: Row[],
  hot: (row: Row) => boolean,
  nothing: string,
): void {
  const head = made("tr");
  for (const column of columns) {
    const cell = made("th", column.title, { scope: "col" });
    if (column.number) cell.className = "number";
    head.append(cell);
  }
  const body = rows.map((row) => {
    const line = made("tr");
    if (hot(row)) line.dataset.hot = "";
    for (const column of columns) {
      const cell = made("td");
      cell.append(column.cell(row));
      if (column.number) cell.className = "number";
      line.append(cell);
    }
    return line;
  });
  if (rows.length === 0) {
    const line = made("tr");
    line.append(made("td", nothing, { colspan: String(columns.length), class: "nothing" }));
    body.push(line);
  }
  const parts = [made("thead"), made("tbody")] as const;
  parts[0].append(head);
  parts[1].append(...body);
  table.replaceChildren(...parts);
}

// A rate with a bar that is as long as it is of the greatest.
function bar(value: number, most: number): HTMLElement {
  const cell = made("span", short(value), { class: "bar" });
  cell.style.setProperty("--part", String(most > 0 ? value / most : 0));
  return cell;
}

// A load never looks safe because an average is: each shard is shown beside the mean of all.
export function showShards(shards: Shard[], hottest: number | null): void {
  const sorted = [...shards].sort((a, b) => b.writes_per_second - a.writes_per_second);
  const most = sorted[0]?.writes_per_second ?? 0;
  const mean = shards.reduce((sum, shard) => sum + shard.writes_per_second, 0) / shards.length;
  const columns: Column<Shard>[] = [
    {
      title: "shard",
      cell: (s) => `${s.shard === hottest ? "▲ " : ""}${s.shard}${s.region && ` · ${s.region}`}`,
    },
    { title: "lane", number: true, cell: (s) => String(s.lane) },
    { title: "writes/s", number: true, cell: (s) => bar(s.writes_per_second, most) },
    {
      title: "of the mean",
      number: true,
      cell: (s) => (mean > 0 ? `${(s.writes_per_second / mean).toFixed(1)}×` : "–"),
    },
    { title: "10 min", number: true, cell: (s) => short(s.writes_per_second_10m) },
    { title: "CPU", number: true, cell: (s) => `${s.cpu_percent} %` },
    { title: "p50", number: true, cell: (s) => time(s.p50_us) },
    { title: "p99", number: true, cell: (s) => time(s.p99_us) },
    { title: "waiting", number: true, cell: (s) => `${short(s.queue_bytes)}B` },
    { title: "stored", number: true, cell: (s) => `${short(s.stored_bytes)}B` },
    { title: "state", cell: (s) => s.state },
  ];
  fill(at("#shards"), columns, sorted, (s) => s.shard === hottest, "No shards.");
}

const span = (ms: number | null) => time(ms === null ? null : 1000 * ms);

function outcome(job: Job): string {
  const made = job.made.length > 0 ? `made ${job.made.join(", ")}` : "";
  const waits = job.waits_for && `waits for ${job.waits_for}`;
  return [waits, made, job.verification, job.error].filter(Boolean).join("; ");
}

// The latest first, as the node lists them; without any, there is nothing to see.
export function showJobs(jobs: Job[]): void {
  at("#jobs-part").hidden = jobs.length === 0;
  const columns: Column<Job>[] = [
    { title: "job", number: true, cell: (j) => String(j.job) },
    {
      title: "does",
      cell: (j) => `${j.kind} ${j.shards.join(", ")}${j.to === null ? "" : ` to lane ${j.to}`}`,
    },
    { title: "state", cell: (j) => j.state },
    { title: "phase", cell: (j) => (j.took_ms === null ? `${j.phase} · ${j.percent} %` : "") },
    { title: "left", number: true, cell: (j) => span(j.eta_ms) },
    { title: "took", number: true, cell: (j) => span(j.took_ms) },
    { title: "", cell: outcome },
    { title: "why", cell: (j) => j.reason },
  ];
  fill(at("#jobs"), columns, jobs.slice(0, 12), (j) => j.state === "failed", "No jobs.");
}

export function showKeys(keys: HotKey[], note = "No key is written to now."): void {
  const most = keys[0]?.writes_per_second ?? 0;
  const columns: Column<HotKey>[] = [
    { title: "key", cell: (k) => made("code", k.key) },
    { title: "shard", number: true, cell: (k) => String(k.shard) },
    { title: "writes/s", number: true, cell: (k) => bar(k.writes_per_second, most) },
    {
      title: "of its shard",
      number: true,
      cell: (k) => `${k.percent_of_shard} %`,
    },
    { title: "done about it", cell: (k) => (k.action === "fold" ? "folded" : "nothing") },
  ];
  fill(at("#keys"), columns, keys.slice(0, 12), (k) => k.percent_of_shard >= 50, note);
}
