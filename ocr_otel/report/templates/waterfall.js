// Opens a kept batch: its spans as a waterfall, below the ranks that did the same step.
// Spans of other ranks come indented right below their rank's bar; from the first one at the margin on they are its own.
const firstOwn = batch => batch.bars.findIndex(bar => bar[1] !== "rank" && bar[4] === 0);
function ownParts(batch) {
  const from = firstOwn(batch), own = from < 0 ? [] : batch.bars.slice(from);
  return own.filter(bar => KINDS.has(bar[1]) && bar[4] < 2).map(bar => [data.parts.indexOf(bar[1]), bar[2] * 1e6, bar[3] * 1e6]);
}
function placed(bar, start, seconds, { low, high, width }) {
  const from = Math.max(start, low), to = Math.min(start + seconds, high);
  bar.style.left = `min(${Math.max(0, 100 * (from - low) / width)}%, calc(100% - 2px))`;
  bar.style.width = `${Math.max(0, 100 * (to - from) / width)}%`;
}
function waterfallRow(body, [name, kind, start, seconds, depth, failed, parts = []], shown) {
  const row = html("tr", {}, body), label = html("th", { scope: "row", title: name }, row, name);
  label.style.paddingLeft = `${(depth + 1) * 12}px`;
  const track = html("div", { class: "track" }, html("td", {}, row)), bar = html("i", failed ? { class: "failed" } : {}, track);
  track.style.setProperty("--zero", `${100 * -shown.low / shown.width}%`);
  placed(bar, start, seconds, shown);
  if (KINDS.has(kind)) bar.style.background = `var(--${kind})`;
  else if (["dataloader_worker", "dataset", "collate"].includes(kind)) { bar.style.background = "var(--fetch)"; bar.style.opacity = kind === "dataloader_worker" ? ".55" : ".8"; }
  if (start + seconds < shown.low) { bar.style.opacity = ".35"; bar.title = "before what is shown"; }
  for (const [part, begins, took] of parts) {
    const piece = html("i", { class: "part", "data-part": data.parts[part] }, track);
    placed(piece, begins / 1e6, took / 1e6, shown);
    piece.style.background = `var(--${data.parts[part]})`;
  }
  const waits = parts.filter(([part]) => data.parts[part] === "communication").reduce((sum, [, , took]) => sum + took / 1e6, 0);
  if (waits) html("span", { class: "soft small wide" }, label, ` waits ${duration(waits)}`);
  const said = parts.map(([part, , took]) => `${data.parts[part]} ${duration(took / 1e6)}`);
  tipped(track, [`${name}: ${duration(seconds)}`, `from ${duration(start)} of the batch`, ...said].join("\n"));
  html("td", { class: "time begins" }, row, duration(start));
  html("td", { class: "time" }, row, duration(seconds));
  return row;
}
// A rank whose spans are there too shows them on request.
function folding(row) {
  const label = row.firstElementChild, name = label.firstChild, rows = [];
  const button = html("button", { type: "button", class: "fold", "aria-expanded": "false" });
  name.replaceWith(button);
  button.append(name);
  button.addEventListener("click", () => {
    const open = button.getAttribute("aria-expanded") === "false";
    button.setAttribute("aria-expanded", String(open));
    for (const each of rows) each.hidden = !open;
  });
  return rows;
}
function openBatch(index, focus) {
  const batch = data.batches[index];
  if (!batch) return;
  points[opened]?.classList.remove("open");
  points[current]?.setAttribute("tabindex", "-1");
  opened = current = index;
  points[index]?.classList.add("open");
  points[index]?.setAttribute("tabindex", "0");
  hideTip();
  byId("waterfall").hidden = false;
  const ranks = batch.bars.filter(bar => bar[1] === "rank").length, several = ranks > 0 || batch.rank > 0;
  byId("waterfall-title").textContent = `${title(batch)}: ${duration(batch.seconds)} (${batch.kept})`;
  const phases = Object.entries(batch.phases).sort((a, b) => b[1] - a[1]).map(([name, s]) => `${name} ${duration(s)}`);
  const device = Object.entries(batch.device).map(([name, s]) => `${name} on the device ${duration(s)}`);
  const facts = [batch.samples ? `${batch.samples} samples` : "", batch.ratio ? `${Number(batch.ratio.toPrecision(2))} times the running median` : "", several ? `rank ${batch.rank}` : ""];
  byId("waterfall-text").textContent = facts.filter(Boolean).concat(phases, device).join(", ");
  byId("waterfall-error").textContent = batch.exception;
  const differences = byId("waterfall-differences");
  differences.hidden = !batch.differences.length;
  differences.lastElementChild.replaceChildren();
  for (const [name, value, meaning] of batch.differences) {
    const fact = html("div", meaning ? { title: meaning } : {}, differences.lastElementChild);
    html("dt", {}, fact, name);
    html("dd", {}, fact, value);
  }
  const records = byId("waterfall-records");
  records.hidden = !batch.records.length;
  records.lastElementChild.replaceChildren();
  for (const [level, logger, text, times, rank] of batch.records) {
    const item = html("li", { class: level }, records.lastElementChild);
    html("b", {}, item, level);
    item.append(` ${text}${times > 1 ? ` (${times} times)` : ""} `);
    html("span", { class: "soft small" }, item, [logger, rank].filter(Boolean).join(", "));
  }
  byId("waterfall-trace").textContent = `Trace ${batch.trace}. A worker prefetches: its bar may begin before the batch.${batch.remarks ? " " + batch.remarks : ""}`;
  // What was prefetched long before would press the batch itself into a corner: the axis ends half a batch before it.
  const begins = Math.min(0, ...batch.bars.map(bar => bar[2])), low = Math.max(begins, -0.5 * batch.seconds);
  const high = Math.max(batch.seconds, ...batch.bars.map(bar => Math.min(bar[2] + bar[3], 1.5 * batch.seconds))), width = high - low || 1;
  byId("waterfall-axis").textContent = low < 0 ? `${duration(low)} to ${duration(high)}` : `0 to ${duration(high)}`;
  const body = byId("waterfall-rows");
  body.replaceChildren();
  byId("waterfall").classList.toggle("ranks", ranks > 0);
  byId("waterfall").classList.toggle("many", ranks > 12);
  const shown = { low, high, width };
  waterfallRow(body, [several ? `batch, rank ${batch.rank}` : "batch", "loop", 0, batch.seconds, -1, 0, ranks ? ownParts(batch) : []], shown);
  const from = firstOwn(batch);
  let below = null, last = null;
  batch.bars.forEach((each, index) => {
    if (ranks && index === from) html("th", { colspan: "3", class: "soft small of" }, html("tr", {}, body), `Spans of rank ${batch.rank}`);
    const row = waterfallRow(body, each, shown);
    if (each[1] === "rank") { last = row; below = null; }
    else if (last && (from < 0 || index < from)) { below ||= folding(last); below.push(row); row.hidden = true; }
  });
  const legend = byId("waterfall-legend"), drawn = new Set(batch.bars.flatMap(bar => (bar[6] || []).map(part => part[0])));
  legend.replaceChildren();
  data.parts.forEach((part, index) => {
    if (drawn.has(index)) html("i", { class: "dot", style: `background:var(--${part})` }, html("li", {}, legend)).after(part === "communication" ? "waits for other ranks" : part);
  });
  byId("waterfall").scrollIntoView({ block: "nearest" });
  if (focus) byId("waterfall-title").focus({ preventScroll: true });
}
function closeBatch() {
  byId("waterfall").hidden = true;
  points[opened]?.classList.remove("open");
  const last = opened;
  opened = -1;
  points[last]?.focus();
}
bindings.push(() => {
  for (const button of document.querySelectorAll("button[data-batch]")) button.addEventListener("click", () => openBatch(Number(button.dataset.batch), true));
});
function bindWaterfall() {
  if (!byId("waterfall")) return;
  byId("waterfall-close").addEventListener("click", closeBatch);
  byId("waterfall-previous").addEventListener("click", () => openBatch(opened - 1, false));
  byId("waterfall-next").addEventListener("click", () => openBatch(opened + 1, false));
  byId("waterfall").addEventListener("keydown", event => { if (event.key === "Escape") closeBatch(); });
}
bindings.push(bindWaterfall);
