
// --- resources: one strip for each kind of reading, all on the time axis of the plots above ---------------------------
const COLOURS = ["--forward", "--fetch", "--validation", "--optimizer", "--transfer", "--callbacks", "--checkpoint", "--backward"];
const DECIMALS = { W: "W", J: "J", Hz: "Hz", V: "V" };
const KINDS_OF_LINE = ["usual", "limit", "peak"], LIMIT = 1;
let drawnStrips = [];
// What a value of this unit and size is divided by, and what is written behind it; as `quantity` of the report does.
function scaleOf(unit, size) {
  const [base, per] = unit.split("/"), ending = per ? "/" + per : "";
  if (unit === "1") return [0.01, "%"];
  if (unit === "Cel") return [1, "°C"];
  if (unit === "s") return size < 1 ? [0.001, "ms"] : [1, "s"];
  if (base === "By") {
    let step = 0;
    while (size >= 1023.5 * 1024 ** step && step < 5) step++;
    return [1024 ** step, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"][step] + ending];
  }
  if (base in DECIMALS) {
    const [prefix, factor] = [["G", 1e9], ["M", 1e6], ["k", 1e3]].find(each => size >= 0.9995 * each[1]) || ["", 1];
    return [factor, prefix + DECIMALS[base] + ending];
  }
  return [1, base.startsWith("{") ? ending : unit];
}
const rounded = value => Number(value.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3 });
function quantity(value, unit) {
  const [factor, name] = scaleOf(unit, Math.abs(value));
  return `${rounded(value / factor)} ${name}`.trim();
}
// A limit that is many times what is used would press the lines flat: it is told, not drawn.
const highest = line => Math.max(...line[2].map(value => value ?? -Infinity));
const far = (line, plot) => line[1] === LIMIT && highest(line) > 4 * Math.max(...plot.lines.filter(each => each[1] !== LIMIT).map(highest), 0);
function rangeOf(plot) {
  const values = plot.lines.filter(line => !far(line, plot)).flatMap(line => line[2]).filter(value => value !== null);
  const low = Math.min(...values), high = Math.max(...values);
  // Shares and rates begin at 0. Memory, heat and clocks that hardly change would be a flat line there.
  if (plot.unit === "1") return [Math.min(0, low), high > 0.5 ? Math.max(1, high) : Math.max(high * 1.1, 0.01)];
  if (plot.unit.includes("/") || low < 0.6 * high || low <= 0) return [Math.min(0, low), high * 1.06 || 1];
  const spread = Math.max(high - low, 0.1 * high);
  return [Math.max(0, low - 0.25 * spread), high + 0.25 * spread];
}
bindings.push(() => {
  for (const plot of data.resources.plots)
    for (const line of plot.lines) if (line[2].length === 1) line[2] = data.resources.times.map(() => line[2][0]);
});
function strips() {
  drawnStrips = [];
  for (const host of document.querySelectorAll(".strips")) {
    host.replaceChildren();
    const plots = data.resources.plots.filter(plot => plot.group === host.dataset.group);
    plots.forEach((plot, index) => strip(host, plot, index === plots.length - 1));
  }
}
function strip(host, found, last) {
  const box = html("div", { class: "strip" }, host), [low, high] = rangeOf(found), [factor, unit] = scaleOf(found.unit, high);
  const heading = html("h4", {}, box, found.title);
  if (unit) html("span", { class: "soft" }, heading, ` ${unit}`);
  const legend = html("ul", { class: "legend" }, box);
  const figure = html("div", { class: "plot", role: "img" }, box);
  const plot = frame(figure, last ? 104 : 84, 58);
  plot.bottom = plot.height - (last ? 24 : 4);
  const y = value => plot.bottom - (value - low) / (high - low) * (plot.bottom - plot.top);
  bands(plot);
  const x = timeAxis(plot, data.span, last);
  valueAxis(plot, ticks(low / factor, high / factor, 3).map(tick => tick * factor), y, tick => number(tick / factor));
  for (const batch of data.batches)
    if (batch.kept === "slow" || batch.kept === "error") svg("rect", { class: "mark", x: x(batch.start) - 1, y: plot.top - 5, width: 2, height: 5, style: `fill:var(--${batch.kept})` }, plot.root);
  const shown = [], said = [], drawn = {};
  found.lines.forEach(([name, kind, values]) => {
    // The mean and the peak of one device have one colour.
    const index = drawn[kind] = (drawn[kind] ?? -1) + 1, limit = kind === LIMIT;
    const colour = limit ? "--soft" : COLOURS[index % COLOURS.length];
    if (!far([name, kind, values], found)) drawLine(plot, values, x, y, colour, KINDS_OF_LINE[kind]);
    const item = html("li", {}, legend);
    html("i", { class: "dot " + KINDS_OF_LINE[kind], style: `color:var(${colour})` }, item);
    const there = values.filter(value => value !== null), mean = there.reduce((sum, value) => sum + value, 0) / there.length;
    html("span", {}, item, name ? name + " " : "");
    const value = html("b", {}, item), about = limit ? quantity(there[there.length - 1], found.unit) : "mean " + quantity(mean, found.unit);
    value.textContent = about;
    shown.push([value, values, about]);
    said.push(`${name} ${about}, ${quantity(Math.min(...there), found.unit)} to ${quantity(Math.max(...there), found.unit)}`.trim());
  });
  figure.setAttribute("aria-label", `${found.title} over the run: ${said.join("; ")}. The table below has the numbers.`);
  const cross = svg("line", { class: "cross", y1: plot.top, y2: plot.bottom, visibility: "hidden" }, plot.root);
  const over = svg("rect", { x: plot.left, y: plot.top, width: plot.right - plot.left, height: plot.bottom - plot.top, fill: "transparent" }, plot.root);
  over.addEventListener("pointermove", event => {
    const area = over.getBoundingClientRect(), at = (event.clientX - area.left) / area.width * data.span;
    showMoment(data.resources.times.reduce((best, time, index, all) => Math.abs(time - at) < Math.abs(all[best] - at) ? index : best, 0));
  });
  over.addEventListener("pointerleave", () => showMoment(-1));
  drawnStrips.push({ cross, x, shown, unit: found.unit });
}
function drawLine(plot, values, x, y, colour, kind) {
  const there = values.map((value, index) => value === null ? -1 : index).filter(index => index >= 0);
  const steps = there.slice(1).map((index, place) => index - there[place]).sort((a, b) => a - b);
  // What is read seldom is joined; where readings failed to come, the line ends.
  const gap = 3 * (steps[Math.floor(steps.length / 2)] || 1);
  let path = "";
  there.forEach((index, place) => {
    const joined = place > 0 && index - there[place - 1] < gap, at = `${x(data.resources.times[index]).toFixed(1)} ${y(values[index]).toFixed(1)}`;
    path += (joined ? "L" : "M") + at;
    // A reading without neighbours would be no line at all.
    if (!joined && !(there[place + 1] - index < gap)) path += "h.01";
  });
  svg("path", { class: "curve " + kind, d: path, style: `stroke:var(${colour})` }, plot.root);
}
// Every strip shows the same moment: what else happened then is what is looked for.
function showMoment(index) {
  const time = data.resources.times[index], epoch = data.epochs.find(each => each.start <= time && time < each.start + each.wall);
  for (const each of drawnStrips) {
    each.cross.setAttribute("visibility", index < 0 ? "hidden" : "visible");
    if (index >= 0) for (const end of ["x1", "x2"]) each.cross.setAttribute(end, each.x(time));
    for (const [element, values, about] of each.shown)
      element.textContent = index < 0 ? about : values[index] === null ? "–" : quantity(values[index], each.unit);
  }
  const text = byId("moment-text");
  if (!text) return;
  text.textContent = index < 0 ? "point at a plot" : `${duration(time)}${epoch ? `, epoch ${epoch.epoch}` : ""}`;
  if (index >= 0) byId("moment-at").value = index;
}
bindings.push(() => {
  byId("moment-at")?.addEventListener("input", event => showMoment(Number(event.target.value)));
  byId("moment-at")?.addEventListener("keydown", event => { if (event.key === "Escape") showMoment(-1); });
});
drawings.push(strips);
