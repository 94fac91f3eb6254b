// What the node tells, as it tells it: see docs/reference/http.md.

export interface Keyspace {
  keyspace: string;
  key: string;
  shard: string;
  shards: number;
  skew_percent: number | null;
  hottest_shard: number | null;
}

export interface Shard {
  shard: number;
  keyspace: string;
  begin: string;
  end: string;
  lane: number;
  region: string;
  state: string;
  stored_bytes: number;
  writes_per_second: number;
  writes_per_second_10m: number;
  cpu_percent: number;
  queue_bytes: number;
  p50_us: number | null;
  p99_us: number | null;
}

export interface HotKey {
  key: string;
  keyspace: string;
  shard: number;
  writes_per_second: number;
  percent_of_shard: number;
  action: string;
}

export interface Job {
  job: number;
  kind: string;
  shards: number[];
  to: number | null;
  state: string;
  phase: string;
  percent: number;
  eta_ms: number | null;
  waits_for: string;
  error: string;
  verification: string;
  made: number[];
  reason: string;
  took_ms: number | null;
}

export interface Heatmap {
  keyspace: string;
  resolution: string;
  from: number;
  step_s: number;
  steps: number;
  begins: string[];
  writes_per_second: (number | null)[][];
}

// An answer that is not the one that was asked for: the message is for people.
export class Refused extends Error {}

async function get<T>(path: string): Promise<T> {
  const answer = await fetch(path);
  if (answer.ok) return (await answer.json()) as T;
  const text = await answer.text();
  let message = text.trim();
  try {
    message = (JSON.parse(text) as { error: string }).error;
  } catch {
    // Not JSON: the text is the message.
  }
  throw new Refused(message);
}

export async function ready(): Promise<{ ready: boolean; text: string }> {
  const answer = await fetch("/readyz");
  return { ready: answer.ok, text: (await answer.text()).trim() };
}

export const keyspaces = () =>
  get<{ keyspaces: Keyspace[] }>("/api/v1/keyspaces").then((all) => all.keyspaces);
export const shards = () => get<{ shards: Shard[] }>("/api/v1/shards").then((all) => all.shards);
export const jobs = () => get<{ jobs: Job[] }>("/api/v1/jobs").then((all) => all.jobs);
export const hotKeys = () =>
  get<{ hotkeys: HotKey[] }>("/api/v1/hotkeys").then((all) => all.hotkeys);
export const heatmap = (keyspace: string, resolution: string, buckets: number) =>
  get<Heatmap>(
    `/api/v1/heatmap?keyspace=${encodeURIComponent(keyspace)}` +
      `&resolution=${resolution}&buckets=${buckets}`,
  );
