#include "console/status_page.h"

namespace sluice::console {

// Values are set as text, never as markup: names may hold anything.
const std::string_view kStatusPage = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sluice</title>
<style>
  :root { color-scheme: light dark; }
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
  h1 { font-size: 1.4rem; margin: 0; }
  header { display: flex; gap: 1rem; align-items: baseline; }
  #ready { font-weight: 600; }
  .yes { color: #1a7f37; } .no { color: #b35900; }
  .scroll { overflow-x: auto; }
  table { border-collapse: collapse; margin-top: 1rem; width: 100%; }
  th, td { padding: .3rem .7rem; text-align: left; border-bottom: 1px solid #8884; white-space: nowrap; }
  td.number { text-align: right; font-variant-numeric: tabular-nums; }
  nav { margin-top: 1.5rem; } nav a { margin-right: 1rem; }
</style>
<header><h1>Sluice</h1><span id="ready" role="status">…</span></header>
<div class="scroll"><table><thead></thead><tbody></tbody></table></div>
<p id="note"></p>
<nav><a href="/api/v1/shards">shards</a><a href="/api/v1/keyspaces">keyspaces</a>
<a href="/api/v1/config">configuration</a><a href="/metrics">metrics</a></nav>
<script>
const at = (query) => document.querySelector(query);
const cell = (kind, value) => {
  const made = document.createElement(kind);
  made.textContent = value !== null && typeof value === "object" ? JSON.stringify(value) : value ?? "";
  if (typeof value === "number") made.className = "number";
  return made;
};
const row = (kind, values) => {
  const made = document.createElement("tr");
  made.append(...values.map((value) => cell(kind, value)));
  return made;
};
async function show() {
  try {
    const ready = await fetch("/readyz");
    at("#ready").textContent = (await ready.text()).trim();
    at("#ready").className = ready.ok ? "yes" : "no";
    const answer = await fetch("/api/v1/shards");
    const body = await answer.json();
    const shards = body.shards ?? [];
    const names = [...new Set(shards.flatMap(Object.keys))];
    at("thead").replaceChildren(row("th", names));
    at("tbody").replaceChildren(...shards.map((shard) => row("td", names.map((name) => shard[name]))));
    at("#note").textContent = body.error ?? (shards.length ? "" : "No shards yet.");
  } catch (error) {
    at("#ready").textContent = "no answer";
    at("#ready").className = "no";
  }
  setTimeout(show, 2000);
}
show();
</script>
</html>
)";

}  // namespace sluice::console
