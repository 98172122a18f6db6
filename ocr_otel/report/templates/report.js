// Draws the report's plots as SVG from the JSON beside.
const KEPT = ["regular", "first", "profiled", "slow", "error"];
const KINDS = new Set(data.parts);
function bands(plot) {
  data.epochs.forEach((epoch, index) => {
    if (index % 2 === 0) svg("rect", { class: "band", x: plot.left + epoch.start / data.span * (plot.right - plot.left), y: plot.top, width: Math.max(0, epoch.wall / data.span * (plot.right - plot.left)), height: plot.bottom - plot.top }, plot.root);
  });
}
// --- plots -----------------------------------------------------------------------------------------------------------
function timeline() {
  const lanes = ["entries", "epochs", "validation", "checkpoints", "profiler"].filter(name => data.lanes.some(lane => lane[0] === name));
  const slow = data.batches.filter(batch => batch.kept === "slow" || batch.kept === "error");
  const slowLane = data.dots.length ? "slowest" : "slow batches";
  const rows = slow.length ? [...lanes, slowLane] : lanes;
  const plot = frame("timeline", 34 * rows.length + 34, 92);
  if (!plot) return;
  const x = timeAxis(plot, data.span), row = name => plot.top + 34 * rows.indexOf(name);
  const colour = { entries: "--loop", epochs: "--epochs", validation: "--validation", checkpoints: "--checkpoint", profiler: "--profiled" };
  for (const name of rows) svg("text", { x: plot.left - 10, y: row(name) + 21, "text-anchor": "end" }, plot.root, name);
  data.lanes.forEach(([name, label, start, seconds]) => {
    const width = Math.max(1.5, x(start + seconds) - x(start) - (name === "epochs" ? 1 : 0));
    const bar = svg("rect", { x: x(start), y: row(name) + 5, width, height: 24, rx: Math.min(3, width / 2), "data-lane": name, style: `fill:var(${colour[name]})` }, plot.root);
    tipped(bar, `${label}\n${duration(seconds)}, from ${duration(start)}`);
    if (name === "epochs" && width > 26) svg("text", { x: x(start) + width / 2, y: row(name) + 21, "text-anchor": "middle", style: "fill:var(--panel);pointer-events:none;font-weight:600" }, plot.root, label.replace("epoch ", ""));
  });
  for (const batch of slow) {
    const mark = svg("rect", { x: x(batch.start) - 1, y: row(slowLane) + 5, width: 2.5, height: 24, style: `fill:var(--${batch.kept === "error" ? "error" : "slow"});cursor:pointer` }, plot.root);
    tipped(mark, `${title(batch)}\n${duration(batch.seconds)}`);
    mark.addEventListener("click", () => openBatch(data.batches.indexOf(batch), true));
  }
}
const title = batch => `${batch.stage || "batch"}, epoch ${batch.epoch}, batch ${batch.batch}`;
let points = [], opened = -1, current = 0;
function batches() {
  const plot = frame("batches", innerWidth < PHONE ? 260 : 300, 58);
  if (!plot) return;
  const all = data.batches.map(batch => batch.seconds).concat(data.dots.map(dot => dot[1])).filter(value => value > 0);
  const low = Math.min(...all, Infinity) * 0.8, high = Math.max(...all, 0) * 1.25;
  const from = Number.isFinite(low) ? low : 1e-3, to = high > from ? high : from * 10;
  const y = value => plot.bottom - Math.log(Math.max(value, from) / from) / Math.log(to / from) * (plot.bottom - plot.top);
  bands(plot);
  const x = timeAxis(plot, data.span);
  valueAxis(plot, logTicks(from, to), y, duration);
  if (data.dots.length) svg("path", { class: "all", d: data.dots.map(([start, seconds]) => `M${x(start).toFixed(1)} ${y(seconds).toFixed(1)}h.01`).join("") }, plot.root);
  for (const name of ["p50", "p95"])
    svg("path", { class: name === "p50" ? "median" : name, d: data.epochs.filter(epoch => epoch[name] > 0).map(epoch => `M${x(epoch.start).toFixed(1)} ${y(epoch[name]).toFixed(1)}H${x(epoch.start + epoch.wall).toFixed(1)}`).join("") }, plot.root);
  points = [];
  const layer = svg("g", {}, plot.root);
  const order = data.batches.map((_, index) => index).sort((a, b) => KEPT.indexOf(data.batches[a].kept) - KEPT.indexOf(data.batches[b].kept));
  for (const index of order) {
    const batch = data.batches[index], big = batch.kept === "slow" || batch.kept === "error", kind = KEPT.includes(batch.kept) ? batch.kept : "regular";
    const cx = x(batch.start), cy = y(batch.seconds), r = big ? 5.5 : 3.6;
    const point = big
      ? svg("path", { d: `M${cx} ${cy - r}L${cx + r} ${cy}L${cx} ${cy + r}L${cx - r} ${cy}Z` }, layer)
      : svg("circle", { cx, cy, r }, layer);
    point.setAttribute("class", "point" + (index === opened ? " open" : ""));
    point.setAttribute("role", "button");
    point.setAttribute("tabindex", index === current ? "0" : "-1");
    point.setAttribute("aria-label", `${title(batch)}, ${duration(batch.seconds)}, ${batch.kept}: open its waterfall`);
    point.style.fill = `var(--${kind})`;
    point.dataset.index = index;
    tipped(point, `${title(batch)}\n${duration(batch.seconds)}, ${batch.kept}`);
    points[index] = point;
  }
  layer.addEventListener("click", event => { if (event.target.dataset.index) openBatch(Number(event.target.dataset.index), false); });
  layer.addEventListener("keydown", event => {
    const moves = { ArrowRight: current + 1, ArrowLeft: current - 1, Home: 0, End: points.length - 1 };
    if (event.key in moves) { event.preventDefault(); focusPoint(moves[event.key]); }
    else if (event.key === "Enter" || event.key === " ") { event.preventDefault(); openBatch(current, true); }
  });
  layer.addEventListener("focusin", event => {
    if (!event.target.matches(":focus-visible")) return;
    const box = event.target.getBoundingClientRect(), batch = data.batches[Number(event.target.dataset.index)];
    current = Number(event.target.dataset.index);
    showTip(`${title(batch)}\n${duration(batch.seconds)}, ${batch.kept}`, box.right, box.bottom);
  });
  layer.addEventListener("focusout", hideTip);
  const legend = byId("batches-legend");
  legend.replaceChildren();
  for (const kept of KEPT.filter(name => data.batches.some(batch => batch.kept === name))) {
    const item = html("li", {}, legend);
    html("i", { class: "dot " + (kept === "slow" || kept === "error" ? "diamond" : "round"), style: `background:var(--${kept})` }, item);
    item.append(kept);
  }
  if (data.epochs.some(epoch => epoch.p50 > 0)) html("li", {}, legend, "line: median of the epoch, dashed: its p95");
  if (data.dots.length) html("li", {}, legend, "faint: other kept batches");
}
function focusPoint(index) {
  const next = Math.max(0, Math.min(points.length - 1, index));
  points[current]?.setAttribute("tabindex", "-1");
  current = next;
  points[current].setAttribute("tabindex", "0");
  points[current].focus();
}
function budget() {
  const plot = frame("budget", 250, 58);
  if (!plot) return;
  const count = data.epochs.length, high = Math.max(...data.epochs.map(epoch => epoch.wall), 1e-9);
  const y = value => plot.bottom - value / high * (plot.bottom - plot.top);
  valueAxis(plot, ticks(0, high, 4), y, duration);
  const slot = (plot.right - plot.left) / count, width = Math.min(64, Math.max(1, slot - Math.min(10, slot * 0.2)));
  const paths = data.parts.map(() => "");
  data.epochs.forEach((epoch, index) => {
    let base = 0;
    const left = plot.left + slot * index + (slot - width) / 2;
    epoch.parts.forEach((seconds, part) => {
      if (seconds > 0) paths[part] += `M${left.toFixed(2)} ${y(base).toFixed(2)}h${width.toFixed(2)}V${y(base + seconds).toFixed(2)}h${(-width).toFixed(2)}Z`;
      base += seconds;
    });
  });
  paths.forEach((d, part) => { if (d) svg("path", { d, "data-part": data.parts[part], style: `fill:var(--${data.parts[part]})` }, plot.root); });
  const every = Math.ceil(count / Math.max(1, Math.floor(plot.width / 44)));
  data.epochs.forEach((epoch, index) => {
    if (index % every === 0) svg("text", { x: plot.left + slot * (index + 0.5), y: plot.bottom + 16, "text-anchor": "middle" }, plot.root, epoch.epoch);
  });
  const over = svg("rect", { x: plot.left, y: plot.top, width: plot.right - plot.left, height: plot.bottom - plot.top, fill: "transparent" }, plot.root);
  tipped(over, event => {
    const at = (event.clientX - over.getBoundingClientRect().left) / slot, epoch = data.epochs[Math.max(0, Math.min(count - 1, Math.floor(at)))];
    const lines = data.parts.map((name, part) => [name, epoch.parts[part]]).filter(item => item[1] > 0).sort((a, b) => b[1] - a[1]);
    return `epoch ${epoch.epoch}: ${duration(epoch.wall)}\n` + lines.map(([name, s]) => `${name} ${duration(s)} (${Math.round(100 * s / epoch.wall)} %)`).join("\n");
  });
}
function throughput() {
  const plot = frame("throughput", 190, 58);
  if (!plot) return;
  const values = data.epochs.map(epoch => epoch.throughput).concat(data.throughput.map(point => point[1]));
  const high = Math.max(...values, 1e-9) * 1.08;
  const y = value => plot.bottom - value / high * (plot.bottom - plot.top), x = timeAxis(plot, data.span);
  valueAxis(plot, ticks(0, high, 4), y, number);
  svg("path", { class: "curve", style: "stroke:var(--forward);stroke-width:3", d: data.epochs.map(epoch => `M${x(epoch.start).toFixed(1)} ${y(epoch.throughput).toFixed(1)}H${x(epoch.start + epoch.wall).toFixed(1)}`).join("") }, plot.root);
  if (data.throughput.length > 1) svg("path", { class: "curve", style: "stroke:var(--validation);stroke-width:1.5", d: "M" + data.throughput.map(([t, v]) => `${x(t).toFixed(1)} ${y(v).toFixed(1)}`).join("L") }, plot.root);
  const over = svg("rect", { x: plot.left, y: plot.top, width: plot.right - plot.left, height: plot.bottom - plot.top, fill: "transparent" }, plot.root);
  tipped(over, event => {
    const box = over.getBoundingClientRect(), at = (event.clientX - box.left) / box.width * data.span;
    const epoch = data.epochs.find(each => each.start <= at && at < each.start + each.wall);
    return epoch ? `epoch ${epoch.epoch}: ${number(epoch.throughput)} samples/s` : duration(at);
  });
}
function multiples(id, series, colour, unit) {
  const host = byId(id);
  if (!host) return;
  host.replaceChildren();
  for (const [name, values] of series) {
    const box = html("div", {}, host), heading = html("h3", {}, box, name);
    const last = values[values.length - 1][1];
    html("span", {}, heading, number(last) + unit);
    const figure = html("div", { class: "plot", role: "img" }, box);
    figure.setAttribute("aria-label", `${name}: from ${number(values[0][1])} to ${number(last)}${unit}`);
    const plot = frame(figure, 130, 50);
    const ys = values.map(point => point[1]), spread = Math.max(...ys) - Math.min(...ys) || Math.abs(ys[0]) * 0.1 || 1;
    const low = Math.min(...ys) - spread * 0.06, high = Math.max(...ys) + spread * 0.06;
    const y = value => plot.bottom - (value - low) / (high - low) * (plot.bottom - plot.top), x = timeAxis(plot, data.span);
    valueAxis(plot, ticks(low, high, 3), y, number);
    svg("path", { class: "curve", style: `stroke:var(${colour})`, d: "M" + values.map(([t, v]) => `${x(t).toFixed(1)} ${y(v).toFixed(1)}`).join("L") }, plot.root);
    if (values.length <= 60) for (const [t, v] of values) svg("circle", { cx: x(t), cy: y(v), r: 2.6, style: `fill:var(${colour})` }, plot.root);
    const over = svg("rect", { x: plot.left, y: plot.top, width: plot.right - plot.left, height: plot.bottom - plot.top, fill: "transparent" }, plot.root);
    tipped(over, event => {
      const area = over.getBoundingClientRect(), at = (event.clientX - area.left) / area.width * data.span;
      const near = values.reduce((best, point) => Math.abs(point[0] - at) < Math.abs(best[0] - at) ? point : best);
      return `${number(near[1])}${unit} at ${duration(near[0])}`;
    });
  }
}
drawings.push(timeline, batches, budget, throughput, () => multiples("logged", data.logged, "--forward", ""), () => multiples("memory", data.memory, "--validation", " MiB"));
