// The console's first page: what is hot, in which shard, by which key, and since when.
import "./style.css";
import * as api from "./api";
import * as heatmap from "./heatmap";
import * as live from "./live";
import { at, choice, made, short } from "./page";
import { showJobs, showKeys, showShards } from "./tables";

const REFRESH_MS = 2_000;
const HEATMAP_EVERY = 5; // refreshes
const BUCKETS = 100; // rows of three pixels: a hot one is seen
const RANGES = [
  { value: "1m", label: "6 hours" },
  { value: "10m", label: "4 days" },
  { value: "1h", label: "4 weeks" },
];

// What is chosen stays in the address, so that a page can be passed on.
const chosen = new URLSearchParams(location.hash.slice(1));
const resolution = () => chosen.get("resolution") ?? "1m";
const keyspace = () => chosen.get("keyspace") ?? "";

let round = 0;
let asked = ""; // what the heat map shows

function choose(name: string, value: string): void {
  chosen.set(name, value);
  history.replaceState(null, "", `#${chosen}`);
  if (name === "keyspace") live.forget();
  void refresh();
}

// As the node warns of it (src/heat/skew.h): of few shards, the hottest makes up much of the mean.
function hot(one: api.Keyspace): boolean {
  const warned = Math.min(200, (300 * one.shards) / (one.shards + 2));
  return one.skew_percent !== null && one.skew_percent >= warned;
}

function showKeyspaces(keyspaces: api.Keyspace[], shards: api.Shard[]): void {
  const writes = (name: string) =>
    shards.reduce((sum, s) => sum + (s.keyspace === name ? s.writes_per_second : 0), 0);
  const entries = keyspaces.map((one) => ({
    value: one.keyspace,
    label: one.keyspace,
    note: `${short(writes(one.keyspace))} writes/s`,
    warning: hot(one),
  }));
  choice(at("#keyspaces"), entries, keyspace(), (value) => choose("keyspace", value));
  choice(at("#ranges"), RANGES, resolution(), (value) => choose("resolution", value));
}

// The words only change when what they say does: a screen reader speaks them each time.
function warn(keyspaces: api.Keyspace[]): void {
  const texts = keyspaces
    .filter(hot)
    .map(
      (one) =>
        `${one.keyspace}: shard ${one.hottest_shard} takes ` +
        `${((one.skew_percent ?? 0) / 100).toFixed(1)} times the mean of its ${one.shards} shards.`,
    );
  const box = at("#warnings");
  if (box.textContent === texts.join("")) return;
  box.replaceChildren(...texts.map((text) => made("p", text)));
}

async function showHeat(shards: api.Shard[], hottest: number | null): Promise<void> {
  const wanted = `${keyspace()} ${resolution()}`;
  if (wanted === asked && round % HEATMAP_EVERY !== 0) return;
  asked = wanted;
  heatmap.show(await api.heatmap(keyspace(), resolution(), BUCKETS), shards, hottest);
}

async function refreshAll(): Promise<void> {
  const [state, keyspaces, shards, jobs] = await Promise.all([
    api.ready(),
    api.keyspaces(),
    api.shards(),
    api.jobs(),
  ]);
  say(state.text, state.ready ? "yes" : "no");
  if (!keyspaces.some((one) => one.keyspace === keyspace())) {
    // The one that is written to most is what somebody wants to see who chose none.
    const busiest = [...shards].sort((a, b) => b.writes_per_second - a.writes_per_second)[0];
    if (busiest) chosen.set("keyspace", busiest.keyspace);
  }
  const now = keyspaces.find((one) => one.keyspace === keyspace());
  const own = shards.filter((shard) => shard.keyspace === keyspace());
  const hottest = now?.hottest_shard ?? null;
  showKeyspaces(keyspaces, shards);
  warn(keyspaces);
  showShards(own, hottest);
  showJobs(jobs);
  live.add(Date.now() / 1000, own);
  try {
    const keys = await api.hotKeys();
    showKeys(keys.filter((key) => key.keyspace === keyspace()));
    await showHeat(own, hottest);
  } catch (error) {
    // A user who may not see all keys sees the rest.
    if (!(error instanceof api.Refused)) throw error;
    showKeys([], error.message);
    at("#heat-text").textContent = error.message;
  }
}

function say(text: string, state: "yes" | "no"): void {
  const line = at("#ready");
  if (line.textContent !== text) line.textContent = text;
  line.dataset.state = state;
}

let timer = 0;
async function refresh(): Promise<void> {
  clearTimeout(timer);
  try {
    await refreshAll();
  } catch (error) {
    say(error instanceof api.Refused ? error.message : "no answer", "no");
  }
  round += 1;
  document.documentElement.dataset.round = String(round);
  clearTimeout(timer);
  timer = window.setTimeout(() => void refresh(), REFRESH_MS);
}

document.addEventListener("visibilitychange", () => !document.hidden && void refresh());
void refresh();
