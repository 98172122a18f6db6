// The list of runs: a line each, changed in place, so that focus and selection stay.
const lines = new Map();
function cell(row, name, text, attributes) {
  const found = row.querySelector(`[data-cell="${name}"]`) || html("td", { "data-cell": name, ...attributes }, row);
  if (found.textContent !== text) found.textContent = text;
  return found;
}
function line(run, body) {
  let row = lines.get(run.name);
  if (!row) {
    row = html("tr", {}, body);
    html("a", { href: run.address }, html("th", { scope: "row" }, row), run.name);
    lines.set(run.name, row);
  }
  const state = cell(row, "state", run.error || (run.state === "ended" ? run.said : run.state), { class: "words" });
  state.title = run.said || "";
  state.className = "words" + (run.error ? " error" : "");
  const done = run.total ? run.batches / run.total : run.state === "ended" ? 1 : null;
  const about = cell(row, "done", "");
  about.replaceChildren();
  if (done !== null && !run.error) {
    html("i", { style: `width:${Math.min(100, 100 * done)}%` }, html("span", { class: "done", "aria-hidden": "true" }, about));
    about.append(share(done));
  }
  cell(row, "batches", run.batches ? whole(run.batches) : "", { class: "wide" });
  cell(row, "samples", run.samples_per_second ? number(run.samples_per_second) : "");
  cell(row, "batch", run.batch_seconds ? duration(run.batch_seconds) : "", { class: "wide" });
  cell(row, "wait", run.data_wait === null || run.data_wait === undefined ? "" : share(run.data_wait));
  cell(row, "left", run.remaining ? duration(run.remaining) : "", { class: "wide" });
  cell(row, "verdict", run.verdict_kind ? `${run.verdict_kind.replaceAll("_", " ")}, ${share(run.verdict_share)}` : "", { class: "words wide" }).title = run.verdict || "";
  return row;
}
listen("/events", {
  runs(runs) {
    const body = document.querySelector("#runs tbody");
    byId("runs").hidden = !runs.length;
    byId("empty").hidden = runs.length > 0;
    byId("empty").textContent = "No run yet: one appears here when a training starts.";
    const rows = runs.map(run => line(run, body));
    for (const [name, row] of lines) if (!rows.includes(row)) { row.remove(); lines.delete(name); }
    rows.forEach((row, index) => { if (body.children[index] !== row) body.insertBefore(row, body.children[index]); });
  },
});
