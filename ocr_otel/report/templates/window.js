
// --- the time line of a profiler window: lanes of host, workers and device on one axis -------------------------------
const LANE_COLOURS = { operators: "--other", workers: "--fetch", device: "--validation", transfers: "--transfer", communication: "--callbacks" };
const PHASE_COLOURS = { fetch: "--fetch", transfer: "--transfer", forward: "--forward", backward: "--backward", optimizer_step: "--optimizer", callbacks: "--callbacks", validation_batch: "--validation" };
const ROW = 19, LETTER = 7;
const views = new Map();
function colourOf(lane, name) {
  if (lane === "batches") return "--loop";
  if (lane !== "phases") return LANE_COLOURS[lane] || "--other";
  return PHASE_COLOURS[name.split(/[ :]/)[0]] || "--loop";
}
function fitted(name, width) {
  const letters = Math.floor((width - 7) / LETTER);
  return letters < 3 ? "" : name.length <= letters ? name : name.slice(0, letters - 1) + "…";
}
function windowLine(host) {
  const found = data.windows[host.dataset.window];
  // What nobody has opened yet is drawn when it is.
  if (!host.clientWidth || host.closest("details:not([open])")) return;
  const view = views.get(host) || [0, found.seconds];
  views.set(host, view);
  if (!host.firstChild) toolbar(host, found);
  const figure = host.lastChild, narrow = innerWidth < PHONE, above = narrow ? 18 : 4;
  const height = 34 + found.lanes.reduce((sum, lane) => sum + lane.rows * ROW + above + 8, 0);
  const plot = frame(figure, height, narrow ? 4 : 138);
  plot.root.setAttribute("aria-hidden", "true");
  const x = at => plot.left + (at - view[0]) / (view[1] - view[0]) * (plot.right - plot.left);
  for (const tick of ticks(view[0], view[1], Math.max(2, Math.floor(plot.width / 120)))) {
    svg("line", { class: "grid", x1: x(tick), x2: x(tick), y1: plot.top, y2: plot.bottom }, plot.root);
    svg("text", { x: x(tick), y: plot.bottom + 16, "text-anchor": x(tick) < plot.left + 20 ? "start" : x(tick) > plot.right - 24 ? "end" : "middle" }, plot.root, tick ? duration(tick) : "0");
  }
  const causes = host.dataset.cause.split(" ");
  let top = plot.top;
  for (const lane of found.lanes) {
    const about = `${Math.round(100 * lane.busy)} %`;
    if (narrow) svg("text", { x: plot.left, y: top + 13, class: "lane" }, plot.root, `${lane.name}, ${about}`);
    top += above;
    const label = narrow ? null : svg("text", { x: plot.left - 10, y: top + 13, "text-anchor": "end", class: "lane" }, plot.root, `${lane.name}, ${about}`);
    if (label) label.dataset.tip = `${lane.meaning}\n${about} of what is drawn`;
    if (lane.name === "device") for (const [start, seconds, doing] of found.gaps) bar(plot, x, top, lane.rows * ROW - 3, start, seconds, "", `device idle for ${duration(seconds)}\nthe host: ${doing || "unknown"}`, "gap", "");
    const drawn = new Array(lane.rows).fill(-1);
    for (const [name, start, seconds, row] of lane.bars) {
      const ends = x(start + seconds);
      // What would lie on the pixel that is drawn already is not drawn again.
      if (ends < plot.left || x(start) > plot.right || ends < drawn[row] + 0.4) continue;
      drawn[row] = ends;
      bar(plot, x, top + row * ROW, ROW - 3, start, seconds, found.names[name], `${found.names[name]}\n${duration(seconds)}, from ${duration(start)}`, "piece" + (causes.includes(lane.name === "phases" ? colourOf("phases", found.names[name]).slice(2) : lane.name) ? " cause" : ""), `var(${colourOf(lane.name, found.names[name])})`);
    }
    top += lane.rows * ROW + 8;
  }
  plot.root.addEventListener("pointermove", event => event.target.dataset.tip ? showTip(event.target.dataset.tip, event.clientX, event.clientY) : hideTip());
  plot.root.addEventListener("pointerleave", hideTip);
  plot.root.addEventListener("click", event => { if (event.target.dataset.from) look(host, Number(event.target.dataset.from), Number(event.target.dataset.to)); });
}
function bar(plot, x, y, height, start, seconds, name, told, kind, colour) {
  const left = Math.max(plot.left, x(start)), width = Math.max(1, Math.min(plot.right, x(start + seconds)) - left);
  if (left > plot.right) return;
  const rect = svg("rect", { class: kind, x: left.toFixed(2), y, width: width.toFixed(2), height, rx: Math.min(2, width / 3) }, plot.root);
  if (colour) rect.style.color = colour;
  rect.dataset.tip = told;
  rect.dataset.from = start;
  rect.dataset.to = start + seconds;
  const text = fitted(name, width);
  if (text) svg("text", { class: "inside", x: (left + 4).toFixed(1), y: y + height / 2 + 4 }, plot.root, text);
}
function look(host, from, to) {
  const whole = data.windows[host.dataset.window].seconds, length = Math.min(whole, Math.max(to - from, 1e-6));
  const begins = Math.min(Math.max(0, from), whole - length);
  views.set(host, [begins, begins + length]);
  host.querySelector("output").textContent = length < whole ? `${duration(begins)} to ${duration(begins + length)} of ${duration(whole)}` : `${duration(whole)}, click a bar to look closer`;
  hideTip();
  windowLine(host);
}
function toolbar(host, found) {
  const tools = html("div", { class: "tools" }, host);
  const moves = [
    ["+", "Look closer", (from, length) => [from + length / 4, from + 3 * length / 4]], ["−", "Look from further away", (from, length) => [from - length / 2, from + 1.5 * length]],
    ["←", "Earlier", (from, length) => [from - length / 2, from + length / 2]], ["→", "Later", (from, length) => [from + length / 2, from + 1.5 * length]],
    ["whole", "The whole window", () => [0, found.seconds]],
  ];
  for (const [text, label, move] of moves) {
    const button = html("button", { type: "button", "aria-label": label, title: label }, tools, text);
    button.addEventListener("click", () => { const [from, to] = views.get(host); look(host, ...move(from, to - from)); });
  }
  html("output", { class: "soft small" }, tools, `${duration(found.seconds)}, click a bar to look closer`);
  const figure = html("div", { class: "plot", role: "img" }, host);
  figure.setAttribute("aria-label", `Time line of ${duration(found.seconds)}: ${found.lanes.map(lane => `${lane.name} in ${Math.round(100 * lane.busy)} % of it`).join(", ")}. The tables have the numbers.`);
}
drawings.push(() => { for (const host of document.querySelectorAll(".window-line")) windowLine(host); });
bindings.push(() => { for (const host of document.querySelectorAll(".window-line")) host.closest("details")?.addEventListener("toggle", () => windowLine(host)); });
